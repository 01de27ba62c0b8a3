// The button for the theme: the system's, light, dark, in turn.
"use strict";
{
  const root = document.documentElement, button = document.querySelector("#theme");
  const themes = ["", "light", "dark"], names = ["system", "light", "dark"];
  const set = (theme) => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    button.textContent = `Theme: ${names[themes.indexOf(theme)]}`;
  };
  button.addEventListener("click", () =>
    set(themes[(themes.indexOf(root.dataset.theme ?? "") + 1) % themes.length]));
  button.hidden = false;
  set("");
}
