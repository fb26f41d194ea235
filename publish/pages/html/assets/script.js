"use strict";
(() => {
	// Times: how long ago they are, as long as the page is open.
	const times = [...document.querySelectorAll("time.ago")].map((e) => [e, Date.parse(e.dateTime), e.title = e.textContent]);
	const show = () => {
		for (const [e, at, plain] of times) {
			const s = Math.max(0, Date.now() - at) / 1000, [unit, n] = s < 60 ? ["s", s] : s < 3600 ? ["min", s / 60] : s < 86400 ? ["h", s / 3600] : ["d", s / 86400];
			e.textContent = n < 60 ? `${Math.floor(n)} ${unit} ago` : plain;
		}
	};
	show();
	setInterval(show, 10000);

	// Copies: a button for each command and digest.
	const make = (name, set) => Object.assign(document.createElement(name), set);
	const said = document.body.appendChild(make("p", { className: "hidden" }));
	said.role = "status";
	const copy = async (from) => {
		try {
			await navigator.clipboard.writeText(from.textContent);
		} catch { // without https there is no clipboard
			const range = document.createRange(), selection = getSelection();
			range.selectNodeContents(from);
			selection.removeAllRanges();
			selection.addRange(range);
			if (!document.execCommand("copy")) return "Selected";
			selection.removeAllRanges();
		}
		return "Copied";
	};
	for (const e of document.querySelectorAll(".copy")) {
		const button = make("button", { type: "button", textContent: "Copy" }), from = e.querySelector("code") || e;
		button.ariaLabel = "Copy " + from.textContent.slice(0, 60);
		button.onclick = async () => {
			said.textContent = button.textContent = await copy(from);
			setTimeout(() => button.textContent = "Copy", 2000);
		};
		e.tagName === "PRE" ? e.prepend(button) : e.after(button);
	}

	// Search: in a short list names that contain what is typed, in a long one those that begin with it.
	const box = document.querySelector("[data-search]");
	if (!box) return;
	const top = new URL(box.dataset.search, location), base = new URL("..", top), lists = {};
	const load = (url) => lists[url] ||= fetch(url).then((r) => r.ok ? r.json() : Promise.reject(r.status)).catch((e) => { delete lists[url]; throw e; });
	let long;
	const find = async (typed) => {
		let list = await load(top);
		long = list.parts;
		if (list.lines) return list.lines.filter((l) => l.name.toLowerCase().includes(typed.toLowerCase()));
		while (list.parts) list = await load(new URL((list.parts.findLast((p) => p.from <= typed) || list.parts[0]).twin, base));
		const found = [];
		for (;;) {
			found.push(...list.lines.filter((l) => l.name.startsWith(typed)));
			const last = list.lines.at(-1);
			if (!list.next || found.length >= 50 || last && last.name > typed && !last.name.startsWith(typed)) return found;
			list = await load(new URL(list.next, base));
		}
	};
	const form = make("form"), input = make("input", { id: "search", type: "search", autocomplete: "off", spellcheck: false });
	const results = make("ul"), state = make("p", { className: "more" });
	form.role = "search";
	state.role = "status";
	form.append(make("label", { htmlFor: "search", textContent: "Search packages" }), input);
	box.prepend(form, results, state);
	const search = async () => {
		const typed = input.value.trim();
		let found = [], text = "";
		if (typed) {
			try {
				found = await find(typed);
				if (!found.length) found = await find(typed.toLowerCase());
				text = found.length > 20 ? "The first 20" : found.length ? "" : long ? "No name begins with this" : "No name has this in it";
			} catch { text = "The list cannot be read now"; }
		}
		if (typed !== input.value.trim()) return;
		state.textContent = text;
		results.replaceChildren(...found.slice(0, 20).map((l) => {
			const li = make("li"), a = li.appendChild(make("a", { href: new URL(l.page, base) }));
			a.append(make("bdi", { textContent: l.name }), make("bdi", { className: "more", textContent: l.version }));
			return li;
		}));
	};
	input.oninput = search;
	form.onsubmit = (e) => {
		e.preventDefault();
		results.querySelector("a")?.click();
	};
})();
