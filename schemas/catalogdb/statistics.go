package catalogdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// ErrCounted is returned if another run counted a log file after this run had planned to.
var ErrCounted = errors.New("another run has counted a file of this batch; run the command again")

// CountLogs adds the counts of a batch, and marks its files as counted, in one transaction. A batch whose name the catalog has was
// counted before: nothing is added, and its result is returned. If a mark is not where the batch began, nothing is added, and the
// error is [ErrCounted].
func (d *DB) CountLogs(ctx context.Context, b catalog.LogBatch, now time.Time) (result catalog.LogLines, err error) {
	known, err := d.countedPackages(ctx, b.Downloads)
	if err != nil {
		return result, fmt.Errorf("packages of logs: %w", err)
	}
	repositories, err := d.knownRepositories(ctx)
	if err != nil {
		return result, fmt.Errorf("repositories of logs: %w", err)
	}
	result = b.Lines
	downloads := downloadRows(b.Downloads, known, &result)
	requests := requestRows(b.Requests, repositories, &result)
	err = d.tx(ctx, func(tx *transaction) error {
		before, counted, err := batchResult(ctx, tx, b.Name)
		if err != nil || counted {
			result = before
			return err
		}
		id, err := insertBatch(ctx, tx, b.Name, result, now)
		if err != nil {
			return err
		}
		for _, f := range b.Files {
			if err := markFile(ctx, tx, f, id, now); err != nil {
				return err
			}
		}
		if err := d.addCounts(ctx, tx, downloadTable, downloads); err != nil {
			return err
		}
		return d.addCounts(ctx, tx, requestTable, requests)
	})
	if err != nil {
		return catalog.LogLines{}, fmt.Errorf("count logs: %w", err)
	}
	return result, nil
}

// batchResult returns the result of a batch that is in the catalog.
func batchResult(ctx context.Context, q querier, name string) (result catalog.LogLines, counted bool, err error) {
	rows, err := collect(ctx, q, scanResult, `SELECT result FROM log_batches WHERE name = ?`, name)
	if err != nil || len(rows) == 0 {
		return result, false, err
	}
	return rows[0], true, nil
}

func scanResult(scan func(...any) error) (l catalog.LogLines, err error) {
	var text []byte
	if err := scan(&text); err != nil {
		return l, err
	}
	return l, json.Unmarshal(text, &l)
}

func insertBatch(ctx context.Context, tx *transaction, name string, l catalog.LogLines, now time.Time) (id int64, err error) {
	text, err := json.Marshal(l)
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO log_batches (name, counted_at, result) VALUES (?, ?, ?)`, name, millis(now), string(text))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// markFile moves the mark of a file from where the batch began to where it ended.
func markFile(ctx context.Context, tx *transaction, f catalog.LogFile, batch int64, now time.Time) error {
	res, err := tx.ExecContext(ctx, `UPDATE log_files SET state = ?, counted = ?, batch_id = ?, seen_at = ? WHERE source = ? AND identity = ? AND counted = ?`,
		f.State, f.Counted, batch, millis(now), f.Source, f.Identity, f.From)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	there, err := collect(ctx, tx, scanID, `SELECT id FROM log_files WHERE source = ? AND identity = ?`+tx.forUpdate, f.Source, f.Identity)
	if err != nil {
		return err
	}
	if len(there) > 0 || f.From != 0 {
		return fmt.Errorf("%s: %w", f.Source, ErrCounted)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO log_files (source, identity, state, counted, batch_id, seen_at) VALUES (?, ?, ?, ?, ?, ?)`,
		f.Source, f.Identity, f.State, f.Counted, batch, millis(now))
	return err
}

// A knownPackage is the row of a package that was downloaded.
type knownPackage struct {
	id, size int64
}

// fileKey returns what a key has in common with that of the row: the packages of all RPM architectures have one row, with the key
// of the first directory.
func fileKey(key string) string {
	if !strings.HasSuffix(key, ".rpm") {
		return key
	}
	p := strings.SplitN(key, "/", 6) // owner, name, os, version, directory, rest
	if len(p) < 6 {
		return key
	}
	return strings.Join(append(p[:4:4], p[5]), "/")
}

// countedPackages returns the rows of the packages of downloads by [fileKey].
func (d *DB) countedPackages(ctx context.Context, downloads []catalog.DownloadCount) (map[string]knownPackage, error) {
	files := map[catalog.Release][]string{} // releases without architectures
	asked := map[string]bool{}
	for _, c := range downloads {
		if asked[c.Key] {
			continue
		}
		asked[c.Key] = true
		r := catalog.Release{Repository: c.Repository, Distribution: c.Distribution}
		files[r] = append(files[r], path.Base(c.Key))
	}
	known := map[string]knownPackage{}
	for r, all := range files {
		slices.Sort(all)
		for some := range slices.Chunk(slices.Compact(all), maxPerStatement) {
			if err := d.packagesOfFiles(ctx, r, some, known); err != nil {
				return nil, err
			}
		}
	}
	return known, nil
}

func (d *DB) packagesOfFiles(ctx context.Context, r catalog.Release, files []string, known map[string]knownPackage) error {
	states, stateArgs := in("k.state", []catalog.PackageState{catalog.Active, catalog.Yanked})
	where, args := in("k.file", padded(files))
	_, err := list(ctx, d, func(scan func(...any) error) (k knownPackage, err error) {
		var key string
		if err := scan(&k.id, &k.size, &key); err != nil {
			return k, err
		}
		known[fileKey(key)] = k
		return k, nil
	}, `SELECT k.id, k.size, k.object_key FROM `+packageTables+` WHERE `+releaseKey+` AND `+states+` AND `+where,
		slices.Concat(distributionArgs(r), stateArgs, args)...)
	return err
}

// A knownRepository is the row of a repository with its distributions, as os/version.
type knownRepository struct {
	id            int64
	distributions map[string]bool
}

// knownRepositories returns all repositories.
func (d *DB) knownRepositories(ctx context.Context) (map[catalog.Repository]knownRepository, error) {
	known := map[catalog.Repository]knownRepository{}
	_, err := list(ctx, d, func(scan func(...any) error) (id int64, err error) {
		var r catalog.Repository
		var os, version sql.NullString
		if err := scan(&id, &r.Owner, &r.Name, &os, &version); err != nil {
			return id, err
		}
		if known[r].distributions == nil {
			known[r] = knownRepository{id, map[string]bool{}}
		}
		if os.Valid {
			known[r].distributions[catalog.Distribution{OS: os.String, Version: version.String}.String()] = true
		}
		return id, nil
	}, `SELECT p.id, p.owner, p.name, d.os, d.version FROM repositories p LEFT JOIN distributions d ON d.repository_id = p.id`)
	return known, err
}

// downloadRows returns the values of rows, and adds what they count to result.
func downloadRows(counts []catalog.DownloadCount, known map[string]knownPackage, result *catalog.LogLines) (rows [][]any) {
	for _, c := range counts {
		k, ok := known[fileKey(c.Key)]
		whole := int64(0)
		for _, e := range c.Ends {
			switch {
			case !ok:
				result.Unknown += e.Count
			case e.Byte < k.size:
				result.Partial += e.Count
			default:
				whole += e.Count
			}
		}
		if whole > 0 {
			result.Downloads += whole
			rows = append(rows, []any{k.id, daily, c.Day, c.Client, c.ClientVersion, c.Country, c.Legacy, whole})
		}
	}
	return rows
}

// requestRows is downloadRows for other requests. Of a distribution that the repository does not have, the name is left out: servers
// redirect old URLs of any, and clients would make rows without end.
func requestRows(counts []catalog.RequestCount, repositories map[catalog.Repository]knownRepository, result *catalog.LogLines) (rows [][]any) {
	type key struct {
		id, day                            int64
		kind, distribution, client, legacy string
	}
	at := map[key]int{}
	for _, c := range counts {
		r, ok := repositories[c.Repository]
		switch {
		case !ok:
			result.Unknown += c.Count
			continue
		case c.Kind == catalog.RedirectRequest:
			result.Redirects += c.Count
		default:
			result.Metadata += c.Count
		}
		if !r.distributions[c.Distribution] {
			c.Distribution = ""
		}
		k := key{r.id, c.Day, string(c.Kind), c.Distribution, c.Client, c.Legacy}
		i, ok := at[k]
		if !ok {
			i = len(rows)
			at[k] = i
			rows = append(rows, []any{k.id, daily, k.day, k.kind, k.distribution, k.client, k.legacy, int64(0)})
		}
		sum := &rows[i][len(rows[i])-1]
		*sum = (*sum).(int64) + c.Count //nolint:forcetypeassert // it is set above
	}
	return rows
}

// A countTable is a table of sums: all columns but the last are its key.
type countTable struct {
	name, key, sum string

	coarse string // the columns that a month keeps
	month  string // values of the key, from those columns, of a month and its first day
}

var (
	downloadTable = countTable{
		name: "downloads", key: "package_id, months, day, client, client_version, country, legacy", sum: "downloads",
		coarse: "package_id, client, country, legacy", month: "package_id, ?, ?, client, '', country, legacy",
	}
	requestTable = countTable{
		name: "log_requests", key: "repository_id, months, day, kind, distribution, client, legacy", sum: "requests",
		coarse: "repository_id, kind, distribution, client, legacy", month: "repository_id, ?, ?, kind, distribution, client, legacy",
	}
	countTables = []countTable{downloadTable, requestTable}
)

// The values of the column months.
const (
	daily   = 0
	monthly = 1
)

// rowsPerStatement is how many rows one statement adds.
const rowsPerStatement = 200

// addCounts adds rows to what is there.
func (d *DB) addCounts(ctx context.Context, tx *transaction, t countTable, rows [][]any) error {
	for some := range slices.Chunk(rows, rowsPerStatement) {
		marks := `(?` + strings.Repeat(`, ?`, len(some[0])-1) + `)`
		query := `INSERT INTO ` + t.name + ` (` + t.key + `, ` + t.sum + `) VALUES ` + marks + strings.Repeat(`, `+marks, len(some)-1) + d.adding(t)
		if _, err := tx.ExecContext(ctx, query, slices.Concat(some...)...); err != nil {
			return err
		}
	}
	return nil
}

// adding ends an INSERT that adds to the rows that are there.
func (d *DB) adding(t countTable) string {
	return ` ` + strings.NewReplacer("{key}", t.key, "{table}", t.name, "{sum}", t.sum).Replace(d.addToRow)
}
