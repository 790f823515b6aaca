// Tells whether the mouse is within elements that have one of some classes. It still is for a short time after it has
// left them: on its way from one to another it is in neither.
const LEFT_MS = 500;
const watches = new WeakMap(); // by the element of the component: this module may be called again for the same one

export default function ({ data, parentElement, setStateValue }) {
  const known = watches.get(parentElement);
  if (known) {
    known.tell = (inside) => setStateValue("inside", inside);
    return known.stop;
  }
  const watch = { inside: false, leaving: 0, tell: (inside) => setStateValue("inside", inside) };
  const turn = (inside) => {
    watch.inside = inside;
    watch.tell(inside);
  };
  const note = (element) => {
    if (element?.closest(data.within)) {
      clearTimeout(watch.leaving);
      watch.leaving = 0;
      if (!watch.inside) turn(true);
    } else if (watch.inside && !watch.leaving) {
      watch.leaving = setTimeout(() => {
        watch.leaving = 0;
        turn(false);
      }, LEFT_MS);
    }
  };
  const over = (event) => note(event.target instanceof Element ? event.target : null);
  watch.stop = () => {
    clearTimeout(watch.leaving);
    document.removeEventListener("pointerover", over);
    watches.delete(parentElement);
  };
  watches.set(parentElement, watch);
  document.addEventListener("pointerover", over);
  note([...document.querySelectorAll(":hover")].pop()); // it may have rested there before
  return watch.stop;
}
