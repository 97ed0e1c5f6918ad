package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// asInt is a number, whichever type the driver returns.
func asInt(v any) (int64, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case int:
		return int64(v), nil
	case uint64:
		return int64(v), nil
	case float64:
		return int64(v), nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case []byte:
		return strconv.ParseInt(string(v), 10, 64)
	case string:
		return strconv.ParseInt(v, 10, 64)
	}
	return 0, fmt.Errorf("dbguard: the server answered %T where a number was expected", v)
}

// AsText is a driver's value as a text, whichever type it returns; NULL is empty.
func AsText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}

// asBool is a boolean, whichever type the driver returns.
func asBool(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case nil:
		return false
	case int64:
		return v != 0
	}
	s := AsText(v)
	return s == "t" || s == "true" || s == "1"
}

// errNoRow is returned where a query of the session's returned no row.
var errNoRow = errors.New("dbguard: the server did not answer")

// askText is the first value of the first row.
func askText(ctx context.Context, conn Conn, text string) (string, error) {
	answer, found := "", false
	err := conn.Query(ctx, text, func(values []any) error {
		if !found && len(values) > 0 {
			answer, found = AsText(values[0]), true
		}
		return nil
	})
	if err == nil && !found {
		err = errNoRow
	}
	return answer, err
}

// askInts are the numbers in the first row.
func askInts(ctx context.Context, conn Conn, text string) ([]int64, error) {
	var numbers []int64
	err := conn.Query(ctx, text, func(values []any) error {
		if numbers != nil {
			return nil
		}
		for _, v := range values {
			n, err := asInt(v)
			if err != nil {
				return err
			}
			numbers = append(numbers, n)
		}
		return nil
	})
	if err == nil && len(numbers) == 0 {
		err = errNoRow
	}
	return numbers, err
}
