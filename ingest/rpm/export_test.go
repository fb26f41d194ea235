package rpm

// Recovered is for tests: no input is known that makes go-rpmutils panic behind the guard.
var Recovered = recovered
