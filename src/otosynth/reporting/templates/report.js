// A link to a trace opens it, wherever it is folded away, and brings the keyboard there.
{
  const show = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    target.scrollIntoView();
    if (target.tagName === "DETAILS") target.querySelector("summary").focus({ preventScroll: true });
  };
  addEventListener("hashchange", show);
  // The same link again changes no hash.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) show();
  });
  if (matchMedia("(min-width: 40rem)").matches) document.querySelector("#contents").open = true;
  show();
}
