// Tells whether the mouse is within the elements that have the class.
export default function ({ data, setStateValue }) {
  let inside = false;
  const note = (event) => {
    const now = Boolean(event.target instanceof Element && event.target.closest(`.${data.within}`));
    if (now !== inside) {
      inside = now;
      setStateValue("inside", inside);
    }
  };
  document.addEventListener("pointerover", note);
  return () => document.removeEventListener("pointerover", note);
}
