// What is wrong with this page for those who cannot see it well: landmarks, names, headings, contrast.
() => {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const is_shown = (e) => e.checkVisibility({ visibilityProperty: true });
  const one = (selector) => {
    if (all(selector).length !== 1) faults.push(`${all(selector).length} of ${selector}, not one`);
  };
  ["main", "body > header", "body > footer", "h1", "[role=search]"].forEach(one);
  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title.trim()) faults.push("no title");

  let above = 0;
  for (const heading of all("h1,h2,h3,h4,h5,h6").filter(is_shown)) {
    const level = Number(heading.tagName[1]);
    if (level > above + 1) faults.push(`heading h${level} after h${above}: ${heading.textContent}`);
    above = level;
  }

  const text_of = (id) => document.getElementById(id)?.textContent ?? "";
  const name_of = (e) => {
    const by = e.getAttribute("aria-labelledby");
    if (by) return by.split(" ").map(text_of).join(" ").trim();
    if (e.ariaLabel) return e.ariaLabel.trim();
    if (e.labels?.length) return e.labels[0].textContent.trim();
    const copy = e.cloneNode(true);
    copy.querySelectorAll("[aria-hidden=true]").forEach((hidden) => hidden.remove());
    return (copy.textContent + [...copy.querySelectorAll("img")].map((i) => i.alt).join("")).trim();
  };
  for (const e of all("a[href],button,input:not([type=hidden]),select,summary,nav,aside,section,article,[role=img]")) {
    if (!name_of(e)) faults.push(`no name: ${e.tagName} ${e.outerHTML.slice(0, 80)}`);
  }
  all("img:not([alt])").forEach((e) => faults.push(`no alt: ${e.outerHTML.slice(0, 80)}`));
  const ids = all("[id]").map((e) => e.id);
  ids.filter((id, n) => ids.indexOf(id) !== n).forEach((id) => faults.push(`twice the id ${id}`));

  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => {
    const [r, g, b] = rgba(colour).slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };
  const ground_of = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (rgba(colour)[3] > 250) return colour;
    }
    return "white";
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !is_shown(e) || e.closest(".visually-hidden,svg,datalist,option")) continue;
    const style = getComputedStyle(e);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const poster = e.closest(".poster");
    const grounds = poster ? [getComputedStyle(poster).getPropertyValue("--mark").trim()] : [];
    for (const ground of [ground_of(e), ...grounds]) {
      const had = contrast(style.color, ground);
      if (had < needed) {
        faults.push(`contrast ${had.toFixed(2)} of ${style.color} on ${ground}: ${e.className} ${walker.currentNode.data.trim().slice(0, 40)}`);
      }
    }
  }
  return [...new Set(faults)];
}
