package layout

// Renderer is the version of what makes indexes of rows. It rises with each change of the program that makes other index
// bytes of the same rows: a worker reindexes the releases that an earlier version has published.
const Renderer = 1
