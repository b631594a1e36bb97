// Command demo runs the demo shop, or the traffic of its customers. See demo/README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

const usage = `Usage:
  demo shop [flags]    run the five services of the shop
  demo load [flags]    send them customers
"demo shop -h" and "demo load -h" list the flags; demo/README.md tells the rest.
`

// errUsage marks an error that the flag package, or usage, has already told.
var errUsage = errors.New("usage")

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := dispatch(ctx, args)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		fmt.Fprintln(os.Stderr, "demo: "+strings.ReplaceAll(err.Error(), "\n", "\ndemo: "))
		return 1
	}
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return errUsage
	}
	switch args[0] {
	case "shop":
		return runShop(ctx, args[1:])
	case "load":
		return runLoad(ctx, args[1:])
	case "help", "-h", "--help":
		fmt.Fprint(os.Stderr, usage)
		return nil
	default:
		return fmt.Errorf("there is no command %q%s", args[0], yamlkeys.DidYouMean(args[0], []string{"shop", "load", "help"}))
	}
}

// parse reads the flags and refuses anything after them.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage // told by the flag set, with the list of flags
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not a flag: flags begin with --", flags.Arg(0))
	}
	return nil
}
