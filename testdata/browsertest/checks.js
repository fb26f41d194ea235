// What Go asks of a page. Each check returns what is wrong, a line for each thing; no line: all is well.
globalThis.browsertest ??= (() => {
	const all = (selector, root = document) => [...root.querySelectorAll(selector)];
	const words = text => (text ?? "").replace(/\s+/g, " ").trim();
	const shown = e => e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length > 0;
	const call = e => `<${e.localName}${e.id ? "#" + e.id : ""}${[...e.classList].map(c => "." + c).join("")}> "${words(e.textContent || e.value).slice(0, 60)}"`;
	const focusable = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
	const controls = () => all(focusable).filter(e => !e.disabled && e.tabIndex >= 0 && shown(e));

	// The name of an element for one who does not see it.
	const name = e => {
		const by = (e.getAttribute("aria-labelledby") ?? "").split(/\s+/).map(id => document.getElementById(id)?.textContent).join(" ");
		const labels = [...(e.labels ?? [])].map(l => l.textContent).join(" ");
		const inside = e.matches("input, select, textarea") ? "" : e.textContent + all("img[alt]", e).map(i => i.alt).join(" ");
		return words(by) || words(e.getAttribute("aria-label")) || words(labels) || words(inside) || words(e.title) || (e.matches("[type=submit]") ? words(e.value) : "");
	};

	// Colours are [red, green, blue, alpha], each from 0 to 1.
	const colour = css => {
		let m = css.match(/^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/);
		if (m) return [m[1] / 255, m[2] / 255, m[3] / 255, Number(m[4] ?? 1)];
		m = css.match(/^color\(srgb ([\d.e-]+) ([\d.e-]+) ([\d.e-]+)(?: \/ ([\d.]+))?\)$/);
		return m && [Number(m[1]), Number(m[2]), Number(m[3]), Number(m[4] ?? 1)];
	};
	const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
	const light = c => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => sum + part * (c[i] <= 0.04045 ? c[i] / 12.92 : ((c[i] + 0.055) / 1.055) ** 2.4), 0);
	const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
	const schemes = () => { const css = getComputedStyle(document.documentElement).colorScheme; return css === "normal" ? document.querySelector("meta[name=color-scheme]")?.content ?? "" : css; };
	const canvas = () => schemes().includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? [18 / 255, 18 / 255, 18 / 255, 1] : [1, 1, 1, 1];

	// behind returns the colour that an element is painted on; null if that is not one colour.
	const behind = e => {
		const layers = [];
		for (; e; e = e.parentElement) {
			const style = getComputedStyle(e), c = colour(style.backgroundColor);
			if (!c || style.backgroundImage !== "none") return null;
			layers.push(c);
			if (c[3] === 1) break;
		}
		return layers.reduceRight((below, top) => over(top, below), canvas());
	};
	const faded = e => { let o = 1; for (; e; e = e.parentElement) o *= Number(getComputedStyle(e).opacity); return o; };
	const readable = (e, style, what) => {
		const back = behind(e), text = colour(style.color), size = parseFloat(style.fontSize);
		if (!back || !text) return [`the contrast of ${what} cannot be computed: ${style.color} on ${style.backgroundColor} ${style.backgroundImage}`];
		text[3] *= faded(e);
		const want = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700 ? 3 : 4.5, got = ratio(over(text, back), back);
		return got >= want ? [] : [`contrast ${got.toFixed(2)} is less than ${want}: ${what}`];
	};

	const contrast = () => {
		const found = new Set(), seen = new Set(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		for (let n; (n = walker.nextNode());) {
			const e = n.parentElement;
			if (seen.has(e) || !words(n.data) || !shown(e) || e.matches("script, style, noscript, option")) continue;
			seen.add(e);
			readable(e, getComputedStyle(e), call(e)).forEach(p => found.add(p));
		}
		for (const e of all("input:not([type=hidden]), select, textarea").filter(shown)) {
			readable(e, getComputedStyle(e), call(e)).forEach(p => found.add(p));
			if (e.placeholder) readable(e, getComputedStyle(e, "::placeholder"), "the placeholder of " + call(e)).forEach(p => found.add(p));
			const style = getComputedStyle(e), around = behind(e.parentElement), edge = colour(style.borderBottomColor), fill = behind(e);
			if (style.appearance === "none" || style.borderBottomStyle === "solid") {
				const seen = Math.max(parseFloat(style.borderBottomWidth) && around && edge ? ratio(over(edge, around), around) : 0, fill && around ? ratio(fill, around) : 0);
				if (seen < 3) found.add(`contrast ${seen.toFixed(2)} is less than 3: the edge of ${call(e)}`);
			}
		}
		return [...found];
	};

	const overflow = () => {
		const window_ = document.documentElement.clientWidth, wide = document.scrollingElement.scrollWidth - window_;
		if (wide <= 0) return [];
		const first = all("body *").filter(e => e.getBoundingClientRect().right > window_ + 0.5 && shown(e) && !inScroller(e)).slice(-1).map(call);
		return [`the page is ${wide} pixels wider than the window: ${first}`];
	};
	const inScroller = e => { for (e = e.parentElement; e; e = e.parentElement) if (e !== document.body && getComputedStyle(e).overflowX !== "visible") return true; };
	// What scrolls or is hidden on a screen is lost on paper.
	const cut = () => all("body *").filter(e => shown(e) && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1 && getComputedStyle(e).overflowX !== "visible" && !e.matches("input"))
		.map(e => `the end is cut off: ${call(e)}`);

	const headings = () => {
		const found = [], list = all("h1, h2, h3, h4, h5, h6"), ones = list.filter(h => h.localName === "h1");
		if (ones.length !== 1) found.push(`${ones.length} h1 on the page`);
		let last = 0;
		for (const h of list) {
			const level = Number(h.localName[1]);
			if (level > last + 1) found.push(`after h${last} comes ${call(h)}`);
			if (!words(h.textContent)) found.push(`an empty heading: ${call(h)}`);
			last = level;
		}
		return found;
	};

	const names = () => all("a, button, input:not([type=hidden]), select, textarea, summary, [role=region], nav ~ nav").filter(e => !name(e)).map(e => `no name: ${e.outerHTML.slice(0, 120)}`)
		.concat(all("img:not([alt])").map(e => `no alt: ${call(e)}`));

	const document_ = () => {
		const found = [], ids = all("[id]").map(e => e.id);
		if (!document.documentElement.lang) found.push("the page has no lang");
		if (!words(document.title)) found.push("the page has no title");
		if (document.compatMode !== "CSS1Compat") found.push("the page has no doctype");
		if (!document.querySelector("meta[name=viewport][content*='width=device-width']")) found.push("the page has no viewport");
		if (/user-scalable|maximum-scale/.test(document.querySelector("meta[name=viewport]")?.content)) found.push("a person cannot enlarge the page");
		ids.filter((id, i) => ids.indexOf(id) !== i).forEach(id => found.push(`two elements have the ID ${id}`));
		return found;
	};

	const landmarks = () => {
		const found = [], mains = all("main, [role=main]");
		if (mains.length !== 1) found.push(`${mains.length} main on the page`);
		if (!document.querySelector("body > header")) found.push("no header on the page");
		const skip = controls()[0] ?? all("a[href]")[0], target = skip?.hash && document.getElementById(skip.hash.slice(1));
		if (!target || !(target.matches("main") || target.closest("main"))) found.push(`the first link does not lead to main: ${skip ? call(skip) : "none"}`);
		return found;
	};

	const tables = () => all("table").flatMap(t => {
		const found = [];
		if (!words(t.caption?.textContent)) found.push(`no caption: ${call(t)}`);
		if (!t.querySelector("th")) found.push(`no headers: ${call(t)}`);
		all("th:not([scope])", t).forEach(h => found.push(`no scope: ${call(h)}`));
		return found;
	});

	// A finger needs 24 pixels, or as much room around a link. Links in a sentence are as high as its lines.
	const targets = () => {
		const found = [], list = controls().filter(e => e.matches("a, button, input, select, textarea, summary")).map(e => [e, e.getBoundingClientRect()]).filter(([, r]) => r.width > 1 && r.bottom > 0);
		const small = r => r.width < 24 || r.height < 24;
		const inSentence = e => e.matches("a") && getComputedStyle(e).display === "inline" && [...e.parentNode.childNodes].some(n => n.nodeType === 3 && /\p{L}/u.test(n.data));
		for (const [e, r] of list) {
			if (!small(r) || inSentence(e)) continue;
			if (!e.matches("a")) { found.push(`${r.width.toFixed(0)} x ${r.height.toFixed(0)} pixels: ${call(e)}`); continue; }
			const x = (r.left + r.right) / 2, y = (r.top + r.bottom) / 2;
			const near = list.find(([o, q]) => o !== e && !o.contains(e) && !e.contains(o) && (small(q)
				? Math.hypot((q.left + q.right) / 2 - x, (q.top + q.bottom) / 2 - y) < 24
				: Math.hypot(Math.max(q.left - x, 0, x - q.right), Math.max(q.top - y, 0, y - q.bottom)) < 12));
			if (near) found.push(`a finger that means ${call(e)} hits ${call(near[0])}`);
		}
		return found;
	};

	// What the focus changes about an element, so that it can be seen.
	const look = e => {
		const s = getComputedStyle(e);
		return [s.outlineStyle === "none" ? "" : [s.outlineStyle, s.outlineWidth, s.outlineColor].join(" "), s.boxShadow, s.backgroundColor, s.borderColor, s.textDecorationLine, s.textDecorationThickness].join(" / ");
	};
	let before = new Map();
	const rest = () => {
		document.activeElement?.blur();
		before = new Map(all("*").map(e => [e, look(e)]));
		return controls().length;
	};
	// focused says what is wrong about the element that has the focus; null at the end of the page.
	let last = null, visited = new Set();
	const focused = () => {
		const e = document.activeElement;
		if (!e || e === document.body || visited.has(e)) return null;
		visited.add(e);
		const found = [], r = e.getBoundingClientRect();
		if (last && !(last.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING)) found.push(`the focus goes back from ${call(last)} to ${call(e)}`);
		if (look(e) === before.get(e)) found.push(`nothing shows the focus on ${call(e)}`);
		const s = getComputedStyle(e), ring = colour(s.outlineColor), around = behind(e.parentElement);
		if (s.outlineStyle !== "none" && s.outlineStyle !== "auto" && ring && around && ratio(over(ring, around), around) < 3) found.push(`contrast ${ratio(over(ring, around), around).toFixed(2)} is less than 3: the ring around ${call(e)}`);
		if (r.width <= 1 || r.height <= 1 || r.bottom <= 0 || r.top >= innerHeight || r.right <= 0 || r.left >= innerWidth) found.push(`the focus is out of sight on ${call(e)}`);
		else if (!hit(e, r)) found.push(`something covers the focus on ${call(e)}`);
		last = e;
		return found;
	};
	const hit = (e, r) => [...e.getClientRects()].some(r => {
		const o = document.elementFromPoint(Math.min(Math.max((r.left + r.right) / 2, 0), innerWidth - 1), Math.min(Math.max((r.top + r.bottom) / 2, 0), innerHeight - 1));
		return o && (e.contains(o) || o.contains(e));
	});
	const missed = () => controls().filter(e => !visited.has(e) && !(e.type === "radio" && !e.checked)).map(e => `Tab does not reach ${call(e)}`);

	// What can be clicked on and has a name; of links that lead to one page, the first.
	const things = text => {
		const list = all("a[href], button, summary, input").filter(e => shown(e) && name(e) === text);
		return list.every(e => e.href && e.href === list[0].href) ? list.slice(0, 1) : list;
	};
	return {
		contrast, overflow, cut, headings, names, document: document_, landmarks, tables, targets, rest, focused, missed, name,
		open: () => { all("details").forEach(d => { d.open = true; }); return true; },
		links: () => [...new Set(all("a[href], link[href]").map(a => a.href.replace(/#.*/, "")))],
		leads: text => things(text)[0].matches("a[href]") && things(text)[0].origin + things(text)[0].pathname + things(text)[0].search !== location.origin + location.pathname + location.search,
		place: text => {
			const list = things(text);
			if (list.length !== 1) return [];
			list[0].scrollIntoView({block: "center"});
			const r = list[0].getClientRects()[0];
			return [(r.left + r.right) / 2, (r.top + r.bottom) / 2];
		},
		axe: () => axe.run(document, {runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}, resultTypes: ["violations"]})
			.then(r => r.violations.flatMap(v => v.nodes.map(n => `axe: ${v.id} (${v.tags.filter(t => /^wcag|best/.test(t)).join(" ")}): ${v.help}: ${n.html.slice(0, 200)} ${words(n.failureSummary)}`))),
	};
})();
