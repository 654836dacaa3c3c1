"use strict";
// A word that is clicked, or chosen by Enter or the space bar, is played from its start to its end.
// CTC tells short words in one output: what is heard is a quarter of a second at least.
const LEAST = 0.25;
let timer;
function play(word) {
  const audio = word.closest(".clip").querySelector("audio");
  for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
  const start = Number(word.dataset.start), end = Math.max(Number(word.dataset.end), start + LEAST);
  clearInterval(timer);
  // (The event timeupdate comes four times a second: the next word would be heard, too.)
  const own = timer = setInterval(() => { if (audio.currentTime >= end) audio.pause(); }, 10);
  audio.onpause = () => clearInterval(own);
  audio.currentTime = start;
  audio.play();
}
for (const word of document.querySelectorAll("[data-start]")) {
  word.onclick = () => play(word);
  word.onkeydown = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    play(word);
  };
}
