package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
)

// confirm asks on a terminal; without one it is a mistake not to have said --yes.
func (c *cli) confirm(ctx context.Context, question string) error {
	if !isTerminal(c.stdin) {
		return usage("%s Nobody can be asked here: say --yes, or look first with --dry-run", question)
	}
	fmt.Fprintf(c.stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // a read of the terminal cannot be given up; the program ends with it
		line, _ := bufio.NewReader(c.stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
	case <-ctx.Done():
	}
	return &exitError{exitFailed, errors.New("nothing was changed")}
}
