// Reports which cards were on the screen: half of a card for a second. Without this file only what was served is known.
(() => {
  const SHARE = 0.5;
  const SCREEN_MS = 1000;
  const BATCH_MS = 2000;
  const MAX_ATTEMPTS = 3;
  const ADDRESS = "/v1/events";
  const user = document.currentScript.dataset.viewer;
  const uncounted = new Set(document.querySelectorAll("[data-request] [data-position]"));
  if (!user || !("IntersectionObserver" in window)) return;

  const timers = new Map();
  let waiting = [];
  let batch = 0;
  let attempts = 0;

  // The same card of the same list has the same id, so that it counts once. The service states the time.
  const describe = (card) => {
    const request = card.closest("[data-request]").dataset.request;
    const { item, position } = card.dataset;
    const id = `viewed-${request}-${position}`;
    return { id, kind: "viewed", user, item, request_id: request, position: Number(position) };
  };

  const take = () => {
    clearTimeout(batch);
    batch = 0;
    const events = waiting;
    waiting = [];
    return events;
  };

  const sendLater = (events) => {
    waiting.push(...events);
    if (!batch) batch = setTimeout(send, BATCH_MS);
  };

  const send = async () => {
    const events = take();
    const isAccepted = await fetch(ADDRESS, {
      method: "POST", body: JSON.stringify(events), headers: { "Content-Type": "application/json" }, keepalive: true,
    }).then((answer) => answer.status < 500, () => false);
    attempts = isAccepted ? 0 : attempts + 1;
    if (!isAccepted && attempts < MAX_ATTEMPTS) sendLater(events);
  };

  const sendBeforeLeaving = () => {
    const events = take();
    if (events.length) navigator.sendBeacon(ADDRESS, new Blob([JSON.stringify(events)], { type: "application/json" }));
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
