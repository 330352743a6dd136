"use strict";
// Tables sort by the column whose head is clicked: by number where both cells have one, otherwise as text.
{
  const text = (row, column) => row.cells[column].textContent.trim();
  // Such as -0.2, 1,000, < 0.020 and (3.00 ± 0.20) × 10⁻¹⁴.
  const number = (cell) => {
    const plain = cell.replaceAll("−", "-").replaceAll(",", "");
    const found = plain.match(/^[<>(]?\s*([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)/i);
    const power = plain.match(/× 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)/)?.[1] ?? "";
    const exponent = [...power].map((digit) => (digit === "⁻" ? "-" : "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(digit))).join("");
    return found ? Number(found[1]) * 10 ** Number(exponent) : NaN;
  };
  const compare = (one, other) => {
    const difference = number(one) - number(other);
    return Number.isNaN(difference) ? one.localeCompare(other, "en", { numeric: true }) : difference;
  };
  // Cells without a value stay last in either direction.
  const empty = (cell) => cell === "" || cell === "–";
  const sort = (head, column) => {
    const ascending = head.getAttribute("aria-sort") !== "ascending";
    for (const each of head.parentElement.cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows].map((row) => [text(row, column), row]);
    rows.sort(([one], [other]) => empty(one) - empty(other) || (ascending ? 1 : -1) * compare(one, other));
    body.append(...rows.map(([, row]) => row));
  };
  for (const row of document.querySelectorAll("thead tr:only-child")) {
    [...row.cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = "Sort by this column";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(head, column));
      head.append(button);
    });
  }
  // A link to a part unfolds its tables and what it lies in, and what is folded is printed.
  const unfold = () => {
    const target = document.getElementById(location.hash.slice(1));
    target?.querySelectorAll(":scope > details").forEach((each) => { each.open = true; });
    for (let at = target; at; at = at.parentElement) if (at.matches("details")) at.open = true;
  };
  addEventListener("hashchange", unfold);
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
  unfold();
}
