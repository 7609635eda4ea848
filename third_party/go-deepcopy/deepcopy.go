// Package deepcopy stands in for github.com/tiendc/go-deepcopy, of which the
// Excel library uses one function, by a replace directive of go.mod. The original
// can also copy by calling methods it finds by name, which makes the linker keep
// every exported method of every type in the program: 5 MB of machine code that
// nobody calls (docs/adr/0003).
package deepcopy

import (
	"fmt"
	"reflect"
)

// Option is of the original's signature; there are none.
type Option func()

// Copy makes *dst a deep copy of src, which is of dst's element type or points to
// it. Unexported fields, channels and functions are copied as they are; a value
// must not contain itself.
func Copy(dst, src any, _ ...Option) error {
	to, from := reflect.ValueOf(dst), reflect.ValueOf(src)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return fmt.Errorf("deepcopy: cannot copy into %T", dst)
	}
	to = to.Elem()
	for from.IsValid() && from.Type() != to.Type() && from.Kind() == reflect.Pointer {
		from = from.Elem()
	}
	if !from.IsValid() || from.Type() != to.Type() {
		return fmt.Errorf("deepcopy: cannot copy %T into %T", src, dst)
	}
	to.Set(from)
	detach(to)
	return nil
}

// detach replaces what a copied value shares with its original.
func detach(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fresh := reflect.New(v.Type().Elem())
			fresh.Elem().Set(v.Elem())
			detach(fresh.Elem())
			v.Set(fresh)
		}
	case reflect.Interface:
		if !v.IsNil() {
			fresh := reflect.New(v.Elem().Type()).Elem()
			fresh.Set(v.Elem())
			detach(fresh)
			v.Set(fresh)
		}
	case reflect.Slice:
		if !v.IsNil() {
			fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(fresh, v)
			for i := range fresh.Len() {
				detach(fresh.Index(i))
			}
			v.Set(fresh)
		}
	case reflect.Array:
		for i := range v.Len() {
			detach(v.Index(i))
		}
	case reflect.Map:
		if !v.IsNil() {
			fresh := reflect.MakeMapWithSize(v.Type(), v.Len())
			for _, key := range v.MapKeys() {
				element := reflect.New(v.Type().Elem()).Elem()
				element.Set(v.MapIndex(key))
				detach(element)
				fresh.SetMapIndex(key, element)
			}
			v.Set(fresh)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				detach(v.Field(i))
			}
		}
	}
}
