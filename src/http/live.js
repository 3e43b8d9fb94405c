"use strict";
// The page is whole without this. It keeps up what a reload would show: blocks that changed come
// as HTML by their id, and rows that have an id change in place, so that nothing jumps that is the
// same.
(() => {
  const lost = document.getElementById("lost");
  const silent = 5000;
  let last = Date.now();

  // What a person has begun on the page stays: a box ticked, details open, a field written in.
  const keep = (from, to) => {
    if (from.id && document.activeElement && from.contains(document.activeElement)) return false;
    // Nor does a drawing move under the pointer that reads it.
    if (from.querySelector(".plot:hover")) return false;
    for (const box of from.querySelectorAll("input[type=checkbox][value]")) {
      const same = to.querySelector(`input[type=checkbox][value="${CSS.escape(box.value)}"]`);
      if (same) same.checked = box.checked;
    }
    const open = from.querySelectorAll("details");
    to.querySelectorAll("details").forEach((one, at) => { if (open[at]) one.open = open[at].open; });
    return true;
  };

  const mark = (element) => {
    element.classList.add("changed");
    setTimeout(() => element.classList.remove("changed"), 2000);
  };

  const bare = (element) => {
    const copy = element.cloneNode(true);
    copy.querySelectorAll("details[open]").forEach((one) => one.removeAttribute("open"));
    [copy, ...copy.querySelectorAll(".changed")].forEach((one) => {
      one.classList.remove("changed");
      if (!one.getAttribute("class")) one.removeAttribute("class");
    });
    return copy.outerHTML;
  };

  // Replaces one element by another; where both have the same rows in the same order, row by row.
  const swap = (from, to) => {
    if (bare(from) === bare(to)) return;
    const rows = (element) => [...element.querySelectorAll("[id]")].filter((one) => one.dataset.row !== undefined);
    const [before, after] = [rows(from), rows(to)];
    const still = before.length > 0 && before.length === after.length
      && before.every((row, at) => row.id === after[at].id);
    const shell = (element) => {
      const copy = element.cloneNode(true);
      rows(copy).forEach((row) => row.replaceChildren());
      return bare(copy);
    };
    if (still && shell(from) === shell(to)) {
      before.forEach((row, at) => {
        if (bare(row) === bare(after[at]) || !keep(row, after[at])) return;
        const scrolled = [...row.querySelectorAll(".wide")].map((one) => one.scrollLeft);
        row.replaceWith(after[at]);
        after[at].querySelectorAll(".wide").forEach((one, at) => { one.scrollLeft = scrolled[at] || 0; });
        mark(after[at]);
      });
      return;
    }
    if (!keep(from, to)) return;
    from.replaceChildren(...to.childNodes);
  };

  const take = (event) => {
    last = Date.now();
    document.body.classList.remove("stale");
    lost.hidden = true;
    for (const [name, html] of Object.entries(JSON.parse(event.data))) {
      const from = document.getElementById(name);
      if (!from) continue;
      const to = from.cloneNode(false);
      to.innerHTML = html;
      swap(from, to);
      document.dispatchEvent(new CustomEvent("news", { detail: name }));
    }
  };

  let source = null;
  const open = () => {
    const of = encodeURIComponent(location.pathname + location.search);
    const mine = source = new EventSource(`/live?of=${of}`);
    source.onmessage = take;
    source.onerror = () => {
      if (mine.readyState !== EventSource.CLOSED || mine !== source) return;
      setTimeout(() => { if (mine === source) open(); }, silent);
    };
  };
  // A browser keeps pages that were left for the way back, with their connections, and has six for
  // all of them.
  addEventListener("pagehide", () => { source.close(); source = null; });
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });

  // A tone for a critical alert that was not there before, if a person wants one.
  const tone = document.getElementById("tone");
  if (tone) {
    const critical = () => new Set([...document.querySelectorAll("#live_open li.critical")].map((one) => one.id));
    let known = critical();
    let audio = null;
    tone.checked = localStorage.getItem("tone") === "1";
    const beep = () => {
      audio ||= new AudioContext();
      [0, 0.35].forEach((after) => {
        const [voice, level] = [audio.createOscillator(), audio.createGain()];
        voice.frequency.value = 880;
        level.gain.value = 0.2;
        voice.connect(level).connect(audio.destination);
        voice.start(audio.currentTime + after);
        voice.stop(audio.currentTime + after + 0.2);
      });
    };
    tone.addEventListener("change", () => {
      localStorage.setItem("tone", tone.checked ? "1" : "0");
      // A browser lets a page sound only after a person did something on it.
      if (tone.checked) beep();
    });
    document.addEventListener("news", (event) => {
      if (event.detail !== "live_open") return;
      const now = critical();
      if (tone.checked && [...now].some((id) => !known.has(id))) beep();
      known = now;
    });
  }

  // The time of day where the stations stand, whatever zone and language the browser is in.
  const place = (ms) => {
    const there = new Date(ms + Number(lost.dataset.east) * 60000);
    return `${there.toISOString().slice(11, 19)} (${lost.dataset.zone})`;
  };

  setInterval(() => {
    if (Date.now() - last < silent) return;
    document.body.classList.add("stale");
    lost.querySelector("time").textContent = place(last);
    lost.hidden = false;
  }, 1000);
  open();
})();
