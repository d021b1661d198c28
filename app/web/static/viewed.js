// Reports which cards were on the screen: half of a card for a second. Without this file only what was served is known.
(() => {
  const SHARE = 0.5;
  const SCREEN_MS = 1000;
  const BATCH_MS = 2000;
  const MAX_ATTEMPTS = 3;
  const ADDRESS = "/viewed";
  const token = document.querySelector("input[name=csrf_token]");
  const uncounted = new Set(document.querySelectorAll("[data-request] [data-position]"));
  if (!token || !("IntersectionObserver" in window)) return;

  const timers = new Map();
  let waiting = [];
  let batch = 0;
  let attempts = 0;

  // A card of a list is one line, and counts once. The service knows the viewer and states the time.
  const describe = (card) =>
    `${card.closest("[data-request]").dataset.request} ${card.dataset.position} ${card.dataset.item}`;

  const buildForm = (lines) => new URLSearchParams({ csrf_token: token.value, seen: lines.join("\n") });

  const take = () => {
    clearTimeout(batch);
    batch = 0;
    const lines = waiting;
    waiting = [];
    return lines;
  };

  const sendLater = (lines) => {
    waiting.push(...lines);
    if (!batch) batch = setTimeout(send, BATCH_MS);
  };

  const send = async () => {
    const lines = take();
    const isAccepted = await fetch(ADDRESS, { method: "POST", body: buildForm(lines), keepalive: true })
      .then((answer) => answer.status < 500, () => false);
    attempts = isAccepted ? 0 : attempts + 1;
    if (!isAccepted && attempts < MAX_ATTEMPTS) sendLater(lines);
  };

  const sendBeforeLeaving = () => {
    const lines = take();
    if (lines.length) navigator.sendBeacon(ADDRESS, buildForm(lines));
  };

  const observer = new IntersectionObserver((entries) => {
    for (const { target, intersectionRatio } of entries) {
      stopTimer(target);
      if (intersectionRatio >= SHARE) timers.set(target, setTimeout(() => count(target), SCREEN_MS));
    }
  }, { threshold: SHARE });

  const stopTimer = (card) => {
    clearTimeout(timers.get(card));
    timers.delete(card);
  };

  const count = (card) => {
    observer.unobserve(card);
    stopTimer(card);
    uncounted.delete(card);
    sendLater([describe(card)]);
  };

  // A page in a hidden tab is not on the screen: its seconds start again when it is shown.
  const followVisibility = () => {
    if (!document.hidden) return uncounted.forEach((card) => observer.observe(card));
    observer.disconnect();
    uncounted.forEach(stopTimer);
    sendBeforeLeaving();
  };

  document.addEventListener("visibilitychange", followVisibility);
  window.addEventListener("pagehide", sendBeforeLeaving);
  followVisibility();
})();
