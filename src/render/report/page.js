'use strict';
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const $ = (id) => document.getElementById(id);
  const items = all('.tree li[id]');
  const traces = all('details.trace');
  const tools = document.querySelector('.tools');
  document.documentElement.classList.add('scripted');
  tools.hidden = false;

  // Rows: the summary of a span, reached through its item; and the summary of a trace.
  const row = (item) => item.firstElementChild.firstElementChild;
  const below = (item) => item.querySelector(':scope > details.below');
  const listOf = (item) => below(item)?.querySelector(':scope > ul');
  const parentOf = (item) => item.parentElement.closest('li');
  const topOf = (trace) => trace.querySelector('ul.tree');
  const shown = (from, step) => {
    let at = from;
    while (at && at.hidden) at = at[step];
    return at;
  };
  const first = (list) => list && shown(list.firstElementChild, 'nextElementSibling');
  const last = (list) => list && shown(list.lastElementChild, 'previousElementSibling');

  const nextTrace = (trace) => shown(trace.nextElementSibling, 'nextElementSibling')?.firstElementChild;
  const after = (summary) => {
    const trace = summary.closest('details.trace');
    let item = summary.closest('li');
    if (!item) return (trace.open && first(topOf(trace)) && row(first(topOf(trace)))) || nextTrace(trace);
    if (below(item)?.open && first(listOf(item))) return row(first(listOf(item)));
    for (; item; item = parentOf(item)) {
      const next = shown(item.nextElementSibling, 'nextElementSibling');
      if (next) return row(next);
    }
    return nextTrace(trace);
  };
  const deepest = (item) => {
    let at = item;
    while (below(at)?.open && last(listOf(at))) at = last(listOf(at));
    return row(at);
  };
  const before = (summary) => {
    const item = summary.closest('li');
    if (item) {
      const sibling = shown(item.previousElementSibling, 'previousElementSibling');
      if (sibling) return deepest(sibling);
      const parent = parentOf(item);
      return parent ? row(parent) : summary.closest('details.trace').firstElementChild;
    }
    const trace = shown(summary.parentElement.previousElementSibling, 'previousElementSibling');
    if (!trace || !trace.matches('details.trace')) return null;
    const end = trace.open && last(topOf(trace));
    return end ? deepest(end) : trace.firstElementChild;
  };
  const current = () => {
    const active = document.activeElement;
    const item = active.closest('.tree li');
    if (item) return row(item);
    const trace = active.closest('details.trace');
    return trace && trace.firstElementChild;
  };
  const visit = (summary) => {
    if (!summary) return;
    summary.focus({ preventScroll: true });
    summary.scrollIntoView({ block: 'nearest' });
  };
  const reveal = (item) => {
    item.closest('details.trace').open = true;
    for (let at = parentOf(item); at; at = parentOf(at)) below(at).open = true;
    visit(row(item));
  };
  const move = (step) => visit(current() ? step(current()) : firstRow());
  const firstRow = () => {
    const trace = traces.find((one) => !one.hidden);
    return trace && (after(trace.firstElementChild) || trace.firstElementChild);
  };
  const failed = (direction) => {
    const wrong = items.filter((item) => item.classList.contains('failed') && !item.hidden);
    if (direction < 0) wrong.reverse();
    const here = document.activeElement.closest('.tree li') || document.activeElement.closest('details.trace');
    const side = direction > 0 ? Node.DOCUMENT_POSITION_FOLLOWING : Node.DOCUMENT_POSITION_PRECEDING;
    const next = here ? wrong.find((item) => here !== item && here.compareDocumentPosition(item) & side) : wrong[0];
    if (next) reveal(next);
  };
  const open = (wanted) => {
    const summary = current();
    const item = summary?.closest('li');
    if (!item) {
      if (summary) summary.parentElement.open = wanted;
      return;
    }
    const fold = below(item);
    if (fold && fold.open !== wanted) fold.open = wanted;
    else if (wanted) visit(fold ? after(summary) : null);
    else visit(parentOf(item) ? row(parentOf(item)) : item.closest('details.trace').firstElementChild);
  };
  const foldAll = (wanted) => {
    for (const fold of all('details.below')) fold.open = wanted;
    if (!wanted) for (const span of all('details.span[open]')) span.open = false;
  };

  // The filter: matching spans stay, with what they are part of.
  const find = $('find');
  const type = $('type');
  const typeOf = (item) => row(item).querySelector('.type').textContent;
  for (const name of [...new Set(items.map(typeOf))].sort()) {
    const option = document.createElement('option');
    option.value = option.textContent = name;
    type.append(option);
  }
  let folds = null;
  const filter = () => {
    const text = find.value.trim().toLowerCase();
    const active = text || type.value || $('failed').checked || $('critical').checked;
    if (!folds && active) folds = new Map(all('details.below, details.trace').map((one) => [one, one.open]));
    if (!active) {
      for (const item of items) {
        item.hidden = false;
        item.classList.remove('dim');
      }
      for (const trace of traces) trace.hidden = false;
      if (folds) for (const [fold, was] of folds) fold.open = was;
      folds = null;
      $('found').textContent = '';
      return;
    }
    const matches = (item) =>
      (!type.value || typeOf(item) === type.value) &&
      (!$('failed').checked || item.classList.contains('failed')) &&
      (!$('critical').checked || item.classList.contains('on-path')) &&
      (!text || item.firstElementChild.textContent.toLowerCase().includes(text));
    const kept = new Set();
    const holding = new Set();
    let count = 0;
    for (const item of items.slice().reverse()) {
      const match = matches(item);
      count += match;
      item.hidden = !match && !kept.has(item);
      item.classList.toggle('dim', !match);
      if (kept.has(item)) below(item).open = true;
      if (item.hidden) continue;
      const parent = parentOf(item);
      if (parent) kept.add(parent);
      holding.add(item.closest('details.trace'));
    }
    for (const trace of traces) {
      trace.hidden = !holding.has(trace);
      if (!trace.hidden) trace.open = true;
    }
    $('found').textContent = `${count.toLocaleString('en')} of ${items.length.toLocaleString('en')} spans`;
  };
  let waiting;
  find.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 150);
  });
  for (const control of [type, $('failed'), $('critical')]) control.addEventListener('change', filter);
  const clear = () => {
    find.value = type.value = '';
    $('failed').checked = $('critical').checked = false;
    filter();
  };
  $('unfold').addEventListener('click', () => foldAll(true));
  $('fold').addEventListener('click', () => foldAll(false));
  $('help').addEventListener('click', () => $('keys').showModal());
  $('close').addEventListener('click', () => $('keys').close());

  // Tables are sorted by the numbers behind their cells, or by their text.
  const keyOf = (cell) => {
    const value = cell.dataset.value;
    if (value === undefined) return cell.textContent;
    return value === '' ? -Infinity : Number(value);
  };
  for (const table of all('table.sortable')) {
    all('th', table).forEach((head, column) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener('click', () => {
        const body = table.tBodies[0];
        const rows = [...body.rows];
        const numbers = rows.some((one) => one.cells[column].dataset.value !== undefined);
        const was = head.getAttribute('aria-sort');
        const down = was ? was === 'ascending' : numbers;
        for (const other of all('th', table)) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        const keyed = rows.map((one) => [keyOf(one.cells[column]), one]);
        const compare = (a, b) => (typeof a === 'number' ? (a < b ? -1 : a > b ? 1 : 0) : a.localeCompare(b, 'en'));
        keyed.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])));
        body.append(...keyed.map(([, one]) => one));
      });
    });
  }

  const keys = {
    j: () => move(after),
    k: () => move(before),
    ArrowDown: () => current() && move(after),
    ArrowUp: () => current() && move(before),
    ArrowRight: () => open(true),
    ArrowLeft: () => open(false),
    n: () => failed(1),
    p: () => failed(-1),
    e: () => foldAll(true),
    c: () => foldAll(false),
    '/': () => find.focus(),
    '?': () => $('keys').showModal(),
    Escape: () => clear(),
  };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $('keys').open) return;
    const at = event.target;
    if (at.matches('input, select, textarea')) {
      if (event.key !== 'Escape') return;
      clear();
      at.blur();
      return;
    }
    const arrow = event.key.startsWith('Arrow');
    // Arrows belong to a box that scrolls while it has the focus, and to the page while no row has.
    if (arrow && (!current() || at.matches('pre'))) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
})();
