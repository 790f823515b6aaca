// A text box with line numbers, coloured words and a marked line, and beside it the tables: a click on a name puts
// it at the cursor. Everything goes in as text, never as markup.
const KEYWORDS = new Set(
  ("select from where group by order having limit offset with as and or not in is null like ilike between case when " +
    "then else end join left right full inner outer cross on using union all distinct exists qualify over partition " +
    "rows range filter asc desc nulls first last interval cast true false values any lateral unnest pivot unpivot for").split(" "),
);
const TOKENS = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$))|(\b\d+(?:\.\d+)?\b)|([A-Za-z_]\w*)|([\s\S])/g;

const element = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

function kindOf([, comment, string, number, word]) {
  if (comment) return "comment";
  if (string) return "string";
  if (number) return "number";
  return word && KEYWORDS.has(word.toLowerCase()) ? "keyword" : "";
}

// The statement as lines of coloured pieces; a piece with line breaks is cut at them.
function paintedLines(text) {
  const lines = [element("span", "line")];
  for (const found of text.matchAll(TOKENS)) {
    const kind = kindOf(found);
    found[0].split("\n").forEach((piece, index) => {
      if (index) lines.push(element("span", "line"));
      if (piece) lines[lines.length - 1].append(kind ? element("span", kind, piece) : piece);
    });
  }
  return lines;
}

class Editor {
  constructor(parent) {
    this.root = element("div", "editor");
    this.area = element("textarea");
    this.area.spellcheck = false;
    this.area.setAttribute("aria-label", "SQL");
    this.area.setAttribute("autocapitalize", "off");
    this.area.placeholder = "SELECT model, count(*) AS calls\nFROM logs\nGROUP BY ALL ORDER BY calls DESC";
    this.numbers = element("div", "lines");
    this.numbers.setAttribute("aria-hidden", "true");
    this.paint = element("pre", "paint");
    this.paint.setAttribute("aria-hidden", "true");
    const code = element("div", "code");
    code.append(this.paint, this.area);
    const text = element("div", "text");
    text.append(this.numbers, code);
    this.button = element("button", "run", "Run");
    this.button.type = "button";
    this.count = element("span", "count");
    const foot = element("div", "foot");
    foot.append(this.button, element("span", "", "Ctrl Enter"), this.count);
    const box = element("div", "box");
    box.append(text, foot);
    this.search = element("input");
    this.search.type = "search";
    this.search.placeholder = "Find a column";
    this.search.setAttribute("aria-label", "Find a column");
    this.tree = element("div", "tree");
    const schema = element("div", "schema");
    schema.append(this.search, this.tree);
    this.root.append(box, schema);
    parent.append(this.root);
    this.listen();
  }

  listen() {
    this.area.addEventListener("input", () => {
      this.wrongLine = 0;
      this.keep();
      this.draw();
    });
    this.area.addEventListener("scroll", () => this.follow());
    this.area.addEventListener("keydown", (event) => {
      event.stopPropagation(); // the page's own shortcuts
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.run();
      }
    });
    this.search.addEventListener("keydown", (event) => event.stopPropagation());
    this.search.addEventListener("input", () => this.drawTree());
    this.button.addEventListener("click", () => this.run());
  }

  // Typed text stays where the page is drawn anew: at a reload, and when another part of it was shown meanwhile.
  keep() {
    sessionStorage.setItem("llm_observe.sql", JSON.stringify({ base: this.base, text: this.area.value }));
  }

  update({ data, setTriggerValue }) {
    const isNew = this.data === undefined;
    this.data = data;
    this.send = setTriggerValue;
    const base = `${data.version}:${data.text}`;
    if (base !== this.base) {
      this.base = base;
      const kept = isNew && JSON.parse(sessionStorage.getItem("llm_observe.sql") || "null");
      const text = kept && kept.base === base ? kept.text : data.text;
      if (text !== this.area.value) this.area.value = text; // else the cursor would leave its place
    }
    this.wrongLine = this.area.value === data.text ? data.wrong_line : 0;
    this.draw();
    if (isNew) this.drawTree();
  }

  draw() {
    const lines = paintedLines(this.area.value);
    const isWrong = (index) => index + 1 === this.wrongLine;
    this.numbers.replaceChildren(
      ...lines.map((_, index) => element("div", isWrong(index) ? "wrong" : "", String(index + 1))),
    );
    this.paint.replaceChildren();
    lines.forEach((line, index) => {
      if (isWrong(index)) line.classList.add("wrong");
      this.paint.append(line, "\n");
    });
    const length = [...this.area.value].length;
    const isOver = length > this.data.max_chars;
    this.count.textContent = `${length.toLocaleString("en")} of ${this.data.max_chars.toLocaleString("en")} characters`;
    this.count.classList.toggle("over", isOver);
    this.button.disabled = isOver || !this.area.value.trim();
    this.area.setAttribute("aria-invalid", String(this.wrongLine > 0));
    this.follow();
  }

  follow() {
    this.paint.scrollTop = this.numbers.scrollTop = this.area.scrollTop;
    this.paint.scrollLeft = this.area.scrollLeft;
  }

  drawTree() {
    const wanted = this.search.value.trim().toLowerCase();
    this.tree.replaceChildren();
    for (const table of this.data.tables) {
      this.tree.append(this.name(table, "table", "table"));
      table.columns
        .filter((column) => column.name.toLowerCase().includes(wanted))
        .forEach((column) => this.tree.append(this.name(column, column.type, "column")));
    }
  }

  name(item, type, className) {
    const made = element("button", className);
    made.type = "button";
    made.title = item.description;
    made.append(element("span", "", item.name), element("span", "type", type));
    made.addEventListener("click", () => this.insert(item.name));
    return made;
  }

  insert(name) {
    const { selectionStart: start, selectionEnd: end, value } = this.area;
    const spaced = /[\w)]$/.test(value.slice(0, start)) ? ` ${name}` : name;
    this.area.setRangeText(spaced, start, end, "end");
    this.area.dispatchEvent(new Event("input"));
    this.area.focus();
  }

  run() {
    if (!this.button.disabled) this.send("run", this.area.value);
  }
}

const editors = new WeakMap();

export default function (component) {
  const { parentElement } = component;
  if (!editors.has(parentElement)) editors.set(parentElement, new Editor(parentElement));
  editors.get(parentElement).update(component);
}
