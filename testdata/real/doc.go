// Package real shows that packages of Debian itself go through: some 300 of them, chosen for what is odd about them,
// and the packages of a minimal system. All of it is one test, which downloads them from the archive that this
// machine's apt is configured with:
//
//	REPOMILL_TEST_REAL=1 go test -v ./testdata/real        (make real)
//
// The packages are pushed. The published index is compared, field by field, with that of apt-ftparchive over the
// same files and with Debian's own. debootstrap then makes a system from our repository alone, and apt installs
// packages of the list in it. It needs root, apt and debootstrap, on Debian.
//
// packages.txt is the list: every field that few packages have, epochs, tildes, native versions, names of one letter
// and of sixty, text that is not ASCII, long Depends, Provides and Built-Using, all kinds of Multi-Arch and Priority,
// 90,000 files in one package (sagemath-doc, papirus-icon-theme), gzip beside xz. Names that the archive does not
// have any more are skipped and counted.
package real
