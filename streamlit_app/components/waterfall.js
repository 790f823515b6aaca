// Draws the rows of a waterfall. Everything that a row says goes in as text, never as markup: the page is ours,
// but names, codes and models were written by others.
const collapsedOf = new WeakMap();

const element = (name, className, text) => {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};
const percent = (share) => `${(share * 100).toFixed(3)}%`;

function axis(labels) {
  const row = element("div", "row axis");
  const marks = element("div", "track");
  labels.forEach((label, index) => {
    const mark = element("span", "mark", label);
    const share = index / (labels.length - 1);
    mark.style.left = percent(share);
    mark.style.transform = `translateX(${-100 * share}%)`;
    marks.append(mark);
  });
  const numbers = element("div", "numbers");
  numbers.append(element("span", "time", "duration"), element("span", "tokens", "tokens"), element("span", "cost", "cost"));
  row.append(element("div", "name", "call"), marks, numbers);
  row.setAttribute("aria-hidden", "true");
  return row;
}

function track(row, gridlines) {
  const made = element("div", "track");
  for (let line = 0; line <= gridlines; line++) {
    const grid = element("i", "grid");
    grid.style.left = percent(line / gridlines);
    made.append(grid);
  }
  if (row.kind === "more") return made;
  const bar = element("div", `bar ${row.kind} ${row.outcome}`);
  bar.style.left = percent(row.left);
  bar.style.width = percent(row.width);
  if (row.is_critical) bar.classList.add("critical");
  made.append(bar);
  if (row.tick !== null) {
    const tick = element("i", "tick");
    tick.style.left = percent(row.tick);
    made.append(tick);
  }
  return made;
}

function treeItem(row, data, collapsed) {
  const made = element("div", `row ${row.kind}`);
  made.id = `row-${row.id}`;
  made.setAttribute("role", "treeitem");
  made.setAttribute("aria-level", String(row.depth + 1));
  made.setAttribute("aria-label", row.about || row.name);
  made.setAttribute("aria-selected", String(Boolean(row.log_id) && row.log_id === data.selected));
  if (row.has_children) made.setAttribute("aria-expanded", String(!collapsed.has(row.id)));
  made.tabIndex = -1;
  made.title = row.about;
  const name = element("div", "name");
  name.style.paddingLeft = `${Math.min(row.depth, 12) * 14}px`;
  const twisty = element("span", "twisty", row.has_children ? (collapsed.has(row.id) ? "▸" : "▾") : "");
  twisty.setAttribute("aria-hidden", "true");
  name.append(twisty);
  if (data.icons[row.kind]) {
    const icon = element("span", "icon", data.icons[row.kind]);
    icon.setAttribute("aria-hidden", "true");
    name.append(icon);
  }
  name.append(element("span", "label", row.name));
  if (row.error) name.append(element("span", "code", row.error));
  const sum = row.is_sum ? "Σ " : "";
  const numbers = element("div", "numbers");
  numbers.append(
    element("span", "time", row.time),
    element("span", "tokens", row.tokens && sum + row.tokens),
    element("span", "cost", row.cost && sum + row.cost),
  );
  made.append(name, track(row, data.ticks.length - 1), numbers);
  return made;
}

function visibleRows(rows, collapsed) {
  let hiddenBelow = Infinity;
  return rows.filter((row) => {
    if (row.kind !== "more" && row.depth > hiddenBelow) return false;
    hiddenBelow = collapsed.has(row.id) ? row.depth : Infinity;
    return true;
  });
}

export default function ({ data, parentElement, setTriggerValue }) {
  let tree = parentElement.querySelector(".waterfall");
  if (!tree) {
    tree = element("div", "waterfall");
    tree.setAttribute("role", "tree");
    parentElement.append(tree);
    collapsedOf.set(tree, new Set());
  }
  tree.setAttribute("aria-label", data.title);
  const collapsed = collapsedOf.get(tree);
  let shown = [];

  const focusOn = (id) => {
    const items = [...tree.querySelectorAll("[role=treeitem]")];
    const item = items.find((candidate) => candidate.id === `row-${id}`) ?? items[0];
    items.forEach((candidate) => (candidate.tabIndex = candidate === item ? 0 : -1));
    return item;
  };
  const draw = (focused) => {
    shown = visibleRows(data.rows, collapsed);
    tree.replaceChildren(axis(data.ticks), ...shown.map((row) => treeItem(row, data, collapsed)));
    const selected = data.rows.find((row) => row.log_id && row.log_id === data.selected);
    const item = focusOn(focused ?? selected?.id);
    if (focused !== undefined) item?.focus();
  };
  const rowOf = (target) => {
    const item = target.closest("[role=treeitem]");
    return item && shown.find((row) => `row-${row.id}` === item.id);
  };
  const toggle = (row) => {
    if (!collapsed.delete(row.id)) collapsed.add(row.id);
    draw(row.id);
  };
  const pick = (row) => {
    if (row.log_id) setTriggerValue("picked", row.log_id);
  };

  tree.onclick = (event) => {
    const row = rowOf(event.target);
    if (!row) return;
    if (row.has_children && (event.target.classList.contains("twisty") || !row.log_id)) toggle(row);
    else {
      focusOn(row.id)?.focus();
      pick(row);
    }
  };
  tree.onkeydown = (event) => {
    const row = rowOf(event.target);
    if (!row) return;
    const at = shown.indexOf(row);
    const parent = shown.slice(0, at).findLast((candidate) => candidate.depth < row.depth);
    const isOpen = row.has_children && !collapsed.has(row.id);
    const actions = {
      ArrowDown: () => focusOn(shown[Math.min(at + 1, shown.length - 1)].id)?.focus(),
      ArrowUp: () => focusOn(shown[Math.max(at - 1, 0)].id)?.focus(),
      Home: () => focusOn(shown[0].id)?.focus(),
      End: () => focusOn(shown[shown.length - 1].id)?.focus(),
      ArrowRight: () => (row.has_children && !isOpen ? toggle(row) : isOpen && focusOn(shown[at + 1].id)?.focus()),
      ArrowLeft: () => (isOpen ? toggle(row) : parent && focusOn(parent.id)?.focus()),
      Enter: () => pick(row),
      " ": () => pick(row),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    actions[event.key]();
  };
  draw();
}
