// The board must never look alive when its server is gone: the page says so by itself when the beat stops.
(() => {
  const patience = 6000;
  let last = performance.now();
  let seen = null;
  setInterval(() => {
    const beat = document.getElementById("beat")?.textContent ?? null;
    if (beat !== seen) {
      seen = beat;
      last = performance.now();
    }
    document.body.classList.toggle("lost", seen !== null && performance.now() - last > patience);
  }, 500);
})();
