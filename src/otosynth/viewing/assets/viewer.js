// Panels side by side, a canvas of NiiVue each, whose cursors and slices are linked.
// otosynthViewer.start(element, manifest, load): `manifest` is what otosynth.viewing.volumes says of
// a study; `load(key)` gives the bytes of one of its volumes as a promise of an ArrayBuffer.
"use strict";

const otosynthViewer = (() => {
  // NiiVue's numbers of the planes, and the axes along, across and through each.
  const PLANES = {
    "x–y": { type: 0, axes: [0, 1, 2] },
    "x–z": { type: 1, axes: [0, 2, 1] },
    "y–z": { type: 2, axes: [1, 2, 0] },
    "all three": { type: 3, axes: [0, 1, 2] },
  };
  const AXES = ["x", "y", "z"];
  // Browsers allow about 16 canvases of WebGL at a time: 3 panels of the ear, 3 of each method.
  const MOST_METHODS = 3;
  const UNITS = { ct: " HU", microct: "" };

  class Panel {
    // A figure with its caption, the value under the cursor, and a canvas.
    constructor(viewer) {
      this.viewer = viewer;
      this.figure = document.createElement("figure");
      this.caption = document.createElement("figcaption");
      this.title = document.createElement("span");
      this.value = document.createElement("output");
      this.caption.append(this.title, this.value);
      this.stage = document.createElement("div");
      this.stage.className = "stage";
      this.canvas = document.createElement("canvas");
      this.stage.append(this.canvas);
      this.figure.append(this.caption, this.stage);
    }

    async attach() {
      this.nv = new niivue.Niivue({
        loadingText: "", logLevel: "error", backColor: [0, 0, 0, 1], crosshairColor: [1, 0.85, 0, 0.9],
        crosshairWidth: 0.5, crosshairGap: 6, isOrientationTextVisible: false, dragAndDropEnabled: false,
        multiplanarLayout: niivue.MULTIPLANAR_TYPE.GRID, multiplanarShowRender: niivue.SHOW_RENDER.NEVER,
      });
      await this.nv.attachToCanvas(this.canvas, false);
      // Of every volume NiiVue computes gradients for 3D rendering, which there is none of here; in
      // software that takes most of the time. These shaders copy voxels instead.
      this.nv.blurShader = this.nv.sobelFirstOrderShader = this.nv.passThroughShader;
      this.nv.onLocationChange = (place) => this.moved(place);
      // Before NiiVue: keys that anyone knows, and a page that still scrolls over the canvases.
      this.stage.addEventListener("keydown", (event) => this.pressed(event), true);
      for (const kind of ["wheel", "touchstart", "touchmove", "touchend"]) {
        this.stage.addEventListener(kind, (event) => {
          if (document.activeElement !== this.canvas) event.stopPropagation();
        }, true);
      }
      this.canvas.setAttribute("role", "application");
    }

    async show(content) {
      this.content = content;
      this.title.textContent = content.title;
      this.canvas.setAttribute("aria-label",
        `${content.title}. Arrow keys and page keys move the cursor of all panels.`);
      const images = await Promise.all(content.layers.map((layer) => this.viewer.image(layer)));
      this.nv.opts.sliceType = PLANES[this.viewer.plane].type;
      // At once: addVolume and removeVolume upload all volumes again each time.
      this.nv.volumes = images;
      [this.nv.back, ...this.nv.overlays] = images;
      this.nv.updateGLVolume();
      this.nv.createOnLocationChange();
      this.figure.dataset.shown = content.title;
    }

    // The cursor moved, here or because it moved elsewhere.
    moved(place) {
      this.figure.dataset.mm = Array.from(place.mm).slice(0, 3).map((mm) => mm.toFixed(2)).join(" ");
      this.value.textContent = this.content.layers.map((layer, number) => {
        const value = place.values[number]?.value;
        if (value === undefined) return "";
        if (!layer.labels) return layer.quiet ? "" : `${Number(value.toPrecision(3))}${UNITS[layer.kind]}`;
        return value ? this.viewer.manifest.classes[value - 1].name : layer.nothing;
      }).filter(Boolean).join(", ");
      this.viewer.link(this);
    }

    pressed(event) {
      const [along, across, through] = PLANES[this.viewer.plane].axes;
      const step = {
        ArrowLeft: [along, -1], ArrowRight: [along, 1], ArrowDown: [across, -1], ArrowUp: [across, 1],
        PageDown: [through, -1], PageUp: [through, 1],
      }[event.key];
      // Tab, Escape and the browser's own keys stay theirs; NiiVue's letters would surprise.
      event.stopPropagation();
      if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      this.viewer.step(...step);
    }
  }

  class Viewer {
    constructor(element, manifest, load) {
      Object.assign(this, { element, manifest, load, panels: [], buffers: new Map() });
      this.plane = "x–y";
      this.opacity = 0.7;
      this.methods = [];
      this.build();
    }

    build() {
      const find = (name) => this.element.querySelector(`[data-viewer="${name}"]`);
      this.grid = find("panels");
      this.status = find("status");
      this.choices = find("methods");
      this.legend(find("legend"));
      this.ears = find("ear");
      this.ears.append(...this.manifest.ears.map((ear) => new Option(ear.name, ear.name)));
      this.ears.addEventListener("change", () => this.told(this.chooseEar()));
      const planes = find("plane");
      planes.append(...Object.keys(PLANES).map((plane) => new Option(plane, plane)));
      planes.addEventListener("change", () => {
        this.plane = planes.value;
        for (const panel of this.shown) panel.nv.setSliceType(PLANES[this.plane].type);
      });
      const opacity = find("opacity");
      opacity.addEventListener("input", () => {
        this.opacity = Number(opacity.value);
        this.relayer((layer, image) => { if (layer.labels) image.opacity = this.opacity; });
      });
      find("more").open = matchMedia("(min-width: 40rem)").matches;
      this.windows = {};
      for (const kind of ["ct", "microct"]) {
        this.windows[kind] = [find(`${kind}-low`), find(`${kind}-high`)];
        for (const input of this.windows[kind]) {
          input.addEventListener("change", () => this.setWindow(kind));
        }
      }
      find("reset").addEventListener("click", () => { this.resetWindows(); this.center(); });
      this.sliders = AXES.map((axis) => find(`slice-${axis}`));
      this.sliders.forEach((slider, axis) => {
        slider.addEventListener("input", () => this.step(axis, Number(slider.value) - this.voxel()[axis]));
      });
    }

    // What goes wrong is told where it is looked for, and stays in the console.
    told(work) {
      return work.catch((error) => {
        this.status.textContent = `The volumes cannot be shown: ${error.message}`;
        throw error;
      });
    }

    legend(list) {
      for (const { name, colour } of this.manifest.classes) {
        const item = document.createElement("li"), swatch = document.createElement("span");
        swatch.style.background = colour;
        item.append(swatch, name);
        list.append(item);
      }
    }

    get ear() { return this.manifest.ears.find((ear) => ear.name === this.ears.value); }
    get shown() { return this.panels.filter((panel) => !panel.figure.hidden && panel.nv?.volumes.length); }

    // Another ear: the methods chosen before, as far as it has them, else multi-task or its first; and
    // its windows.
    async chooseEar() {
      const known = this.ear.methods;
      this.methods = this.methods.filter((method) => known.includes(method));
      if (!this.methods.length && known.length) this.methods = [known.find((m) => m === "multi_task") ?? known[0]];
      this.choices.replaceChildren(...known.map((method) => {
        const label = document.createElement("label"), box = document.createElement("input");
        box.type = "checkbox";
        box.value = method;
        box.checked = this.methods.includes(method);
        box.addEventListener("change", () => this.told(this.chooseMethods()));
        label.append(box, this.manifest.titles[method]);
        return label;
      }));
      this.limitMethods();
      this.resetWindows(false);
      await this.show();
      this.center();
    }

    chooseMethods() {
      const boxes = [...this.choices.querySelectorAll("input")];
      this.methods = boxes.filter((box) => box.checked).map((box) => box.value);
      this.limitMethods();
      return this.show();
    }

    limitMethods() {
      const full = this.methods.length >= MOST_METHODS;
      for (const box of this.choices.querySelectorAll("input")) box.disabled = full && !box.checked;
    }

    contents() {
      const { name, volumes } = this.ear;
      const scan = (key, kind, quiet = false) => ({ key: `${name}/${key}`, kind, quiet });
      const labels = (key, nothing) => ({ key: `${name}/${key}`, labels: true, nothing });
      const behind = scan("microct", "microct", true);
      const contents = [
        { title: "CT", layers: [scan("ct", "ct")] },
        { title: "micro-CT", layers: [scan("microct", "microct")] },
        { title: "class map of the micro-CT", layers: [behind, labels("classmap", "outside")] },
      ];
      for (const method of this.methods) {
        const title = this.manifest.titles[method];
        contents.push(
          { title: `${title}: synthetic micro-CT`, layers: [scan(`${method}/microct`, "microct")] },
          { title: `${title}: class map`, layers: [behind, labels(`${method}/classmap`, "outside")] },
          { title: `${title}: errors`, layers: [behind, labels(`${method}/errors`, "no error")] });
      }
      return contents.filter((content) => content.layers.every((layer) => volumes.includes(layer.key)));
    }

    // Show what is chosen; a panel after the other, so that the first is there soon.
    async show() {
      const turn = this.turn = (this.turn ?? 0) + 1;
      const contents = this.contents();
      const mm = this.shown[0]?.nv.frac2mm(this.shown[0].nv.scene.crosshairPos);
      this.panels.forEach((panel, number) => { panel.figure.hidden = number >= contents.length; });
      for (const [number, content] of contents.entries()) {
        this.status.textContent = `Loading ${content.title} …`;
        if (!this.panels[number]) {
          const panel = this.panels[number] = new Panel(this);
          this.grid.append(panel.figure);
          panel.ready = panel.attach();
        }
        const panel = this.panels[number];
        await panel.ready;
        await panel.show(content);
        // Let the browser draw and answer in between.
        await new Promise((resolve) => requestAnimationFrame(resolve));
        if (turn !== this.turn) return;
        if (number === 0) { this.setSliders(); this.element.dataset.firstDrawn = performance.now(); }
      }
      // NiiVue tells the others when it draws, before it tells us that the cursor moved.
      for (const panel of this.shown) {
        panel.nv.broadcastTo(this.shown.map((other) => other.nv), { "2d": true });
      }
      if (mm) this.place(mm);
      this.status.textContent = "";
      this.element.dataset.allDrawn = performance.now();
    }

    async image(layer) {
      if (!this.buffers.has(layer.key)) {
        // One ear's volumes at a time: they are large.
        for (const key of this.buffers.keys()) {
          if (!key.startsWith(`${this.ear.name}/`)) this.buffers.delete(key);
        }
        const loading = this.load(layer.key);
        loading.catch(() => this.buffers.delete(layer.key));
        this.buffers.set(layer.key, loading);
      }
      const buffer = await this.buffers.get(layer.key);
      if (!layer.labels) {
        const [low, high] = this.windows[layer.kind].map((input) => Number(input.value));
        return niivue.NVImage.new(buffer, `${layer.key}.nii`, "gray", 1, null, low, high);
      }
      const image = await niivue.NVImage.new(buffer, `${layer.key}.nii`, "gray", this.opacity);
      const colours = this.manifest.classes.map(({ colour }) => [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16)));
      const [R, G, B] = [0, 1, 2].map((channel) => [0, ...colours.map((colour) => colour[channel])]);
      image.setColormapLabel({ R, G, B, A: [0, ...colours.map(() => 255)],
                               labels: ["", ...this.manifest.classes.map(({ name }) => name)] });
      return image;
    }

    relayer(change) {
      for (const panel of this.shown) {
        panel.content.layers.forEach((layer, number) => change(layer, panel.nv.volumes[number]));
        panel.nv.updateGLVolume();
      }
    }

    resetWindows(draw = true) {
      for (const [kind, [low, high]] of Object.entries(this.ear.windows)) {
        this.windows[kind].forEach((input, number) => {
          input.step = (high - low) / 100;
          input.value = Number([low, high][number].toPrecision(3));
        });
        if (draw) this.setWindow(kind);
      }
    }

    setWindow(kind) {
      const [low, high] = this.windows[kind].map((input) => Number(input.value));
      if (!(low < high)) {
        this.status.textContent = "The window's lower end must be below its upper end.";
        return;
      }
      this.status.textContent = "";
      this.relayer((layer, image) => {
        if (layer.kind === kind) [image.cal_min, image.cal_max] = [low, high];
      });
    }

    center() {
      const { nv } = this.shown[0];
      this.place(nv.frac2mm([0.5, 0.5, 0.5]));
    }

    voxel() {
      const { nv } = this.shown[0];
      return Array.from(nv.frac2vox(nv.scene.crosshairPos));
    }

    step(axis, voxels) {
      const { nv } = this.shown[0], voxel = this.voxel();
      const last = nv.volumes[0].dimsRAS[axis + 1] - 1;
      voxel[axis] = Math.min(last, Math.max(0, voxel[axis] + voxels));
      this.place(nv.frac2mm(nv.vox2frac(voxel)));
    }

    // Put the cursors of panels at a point (mm).
    place(mm, panels = this.shown) {
      this.placing = true;
      for (const { nv } of panels) {
        nv.scene.crosshairPos = nv.mm2frac(mm);
        nv.createOnLocationChange();
        nv.drawScene();
      }
      this.placing = false;
      this.setSliders();
    }

    link(moved) {
      if (this.placing || !this.shown.includes(moved)) return;
      const { nv } = moved;
      this.place(nv.frac2mm(nv.scene.crosshairPos), this.shown.filter((panel) => panel !== moved));
    }

    setSliders() {
      const voxel = this.voxel(), { dimsRAS } = this.shown[0].nv.volumes[0];
      this.sliders.forEach((slider, axis) => {
        slider.max = dimsRAS[axis + 1] - 1;
        slider.value = voxel[axis];
        slider.nextElementSibling.textContent = `${voxel[axis] + 1} / ${dimsRAS[axis + 1]}`;
      });
    }
  }

  async function start(element, manifest, load) {
    if (!document.createElement("canvas").getContext("webgl2")) {
      element.querySelector('[data-viewer="status"]').textContent =
        "This browser cannot draw volumes: WebGL 2 is missing or switched off.";
      return null;
    }
    const viewer = new Viewer(element, manifest, load);
    element.viewer = viewer;
    await viewer.told(viewer.chooseEar());
    return viewer;
  }

  return { start };
})();
