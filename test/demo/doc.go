// Package demo runs muster demo as a visitor would, and checks it from outside: by its report, by what is left in the process
// table and on disk, and by the very lines it prints for those who want to join.
package demo
