package builtin

import (
	"cmp"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"reflect"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// Classes of the errors of [SQLReader] and [SQLWriter], for the lists of a
// chunk. The others are children of SQLFailure.
const (
	SQLFailure    = "org.jobstreamer.batch.SqlError"
	SQLConstraint = "org.jobstreamer.batch.SqlConstraintError" // unique, not null, foreign key, check
	SQLData       = "org.jobstreamer.batch.SqlDataError"       // too long, out of range, not a number
	SQLTransient  = "org.jobstreamer.batch.SqlTransientError"  // deadlock, lock timeout, lost connection
)

// ErrorClasses returns the classes of errors of all artifacts.
func ErrorClasses() []agent.ErrorClass {
	all := append(fileErrorClasses(), agent.ErrorAs[*sqlError](SQLFailure, ""))
	for _, class := range []string{SQLConstraint, SQLData, SQLTransient} {
		all = append(all, agent.ErrorClass{Name: class, Parent: SQLFailure, Matches: func(err error) bool {
			var e *sqlError
			return errors.As(err, &e) && sqlClass(e.error) == class
		}})
	}
	return all
}

// sqlError is an error of a database or its driver.
type sqlError struct{ error }

func (e *sqlError) Unwrap() error { return e.error }

// asSQLError marks err as an error of a database.
func asSQLError(err error) error {
	if err == nil {
		return nil
	}
	return &sqlError{err}
}

// sqlClass returns the class of an error of a driver.
func sqlClass(err error) string {
	var state interface{ SQLState() string } // as the errors of pgx
	if errors.As(err, &state) {
		return classOfState(state.SQLState())
	}
	if number, ok := mysqlNumber(err); ok {
		return cmp.Or(mysqlClasses[number], SQLFailure)
	}
	var netErr net.Error
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &netErr) || strings.Contains(err.Error(), "invalid connection") { // of MySQL
		return SQLTransient
	}
	return SQLFailure
}

// classOfState returns the class of a SQLSTATE of PostgreSQL (appendix A of its
// manual).
func classOfState(state string) string {
	switch {
	case strings.HasPrefix(state, "23"):
		return SQLConstraint
	case strings.HasPrefix(state, "22"):
		return SQLData
	case strings.HasPrefix(state, "40"), strings.HasPrefix(state, "08"), // deadlock, lost connection
		strings.HasPrefix(state, "57P"), strings.HasPrefix(state, "53"), // shutdown, too many connections
		state == "55P03": // lock not available
		return SQLTransient
	}
	return SQLFailure
}

// mysqlClasses are the classes of the error numbers of MySQL and MariaDB.
var mysqlClasses = map[uint64]string{
	1022: SQLConstraint, 1048: SQLConstraint, 1062: SQLConstraint, 1169: SQLConstraint, 1216: SQLConstraint, 1217: SQLConstraint,
	1364: SQLConstraint, 1451: SQLConstraint, 1452: SQLConstraint, 1557: SQLConstraint, 1586: SQLConstraint, 1761: SQLConstraint,
	1762: SQLConstraint, 3819: SQLConstraint, 4025: SQLConstraint,
	1264: SQLData, 1265: SQLData, 1292: SQLData, 1366: SQLData, 1367: SQLData, 1406: SQLData, 1411: SQLData, 1690: SQLData,
	1040: SQLTransient, 1053: SQLTransient, 1205: SQLTransient, 1213: SQLTransient, 1927: SQLTransient, 3572: SQLTransient,
}

// mysqlNumber returns the number of an error of MySQL's driver. The number is a
// field of a type of that driver, which this package does not import: programs
// choose their drivers.
func mysqlNumber(err error) (uint64, bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.Indirect(reflect.ValueOf(err))
		if v.Kind() != reflect.Struct || v.Type().Name() != "MySQLError" {
			continue
		}
		if number := v.FieldByName("Number"); number.CanUint() {
			return number.Uint(), true
		}
	}
	return 0, false
}
