package layout

// Renderer is the version of the code that renders rows. Raise it with each change by which the same rows give other index
// bytes: a worker then reindexes the releases that an earlier version has published.
const Renderer = 2

// PagesRenderer is the version of the code that makes pages. Raise it with each change by which the same rows give other pages: all
// pages are then made again.
const PagesRenderer = 2
