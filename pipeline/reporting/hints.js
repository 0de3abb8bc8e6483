// The hint of a term: beside it while the pointer is on it or it has the focus; Escape, or a tap elsewhere, closes it.
{
  const hint = document.getElementById("hint");
  const show = ({ target }) => {
    const term = target.closest && target.closest(".term");
    if (!term) return;
    hint.textContent = document.getElementById(term.getAttribute("aria-describedby")).textContent;
    hint.hidden = false;
    const box = term.getBoundingClientRect(), { width, height } = hint.getBoundingClientRect();
    const above = box.bottom + 6 + height > innerHeight;
    hint.style.left = `${Math.max(8, Math.min(box.left, document.documentElement.clientWidth - width - 8))}px`;
    hint.style.top = `${above ? box.top - 6 - height : box.bottom + 6}px`;
  };
  const close = () => (hint.hidden = true);
  for (const event of ["pointerover", "focusin", "click"]) document.addEventListener(event, show);
  for (const event of ["pointerout", "focusout", "scroll"]) document.addEventListener(event, close);
  document.addEventListener("keydown", (event) => event.key === "Escape" && close());
}
