// Command etcd-peer runs etcd for scripts/bench: its server, and a load generator that uses its
// own client.
//
//	etcd-peer serve ARGUMENTS...        runs the server, with etcd's own arguments
//	etcd-peer version                   prints the version of the server
//	etcd-peer follower --server URLS    waits until all serve, and prints the URL of a follower
//	etcd-peer bench {lookup|change} ... does what `quorate bench --json` does
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/version"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdmain"
)

// startLimit is the timeout until all servers serve. requestLimit is the timeout of one request.
const (
	startLimit   = 50 * time.Second
	requestLimit = 5 * time.Second
)

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "etcd-peer:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) < 2 {
		return fmt.Errorf("usage: etcd-peer {serve|version|follower|bench} ...")
	}
	rest := arguments[2:]
	switch arguments[1] {
	case "serve":
		etcdmain.Main(append([]string{"etcd"}, rest...))
		return nil
	case "version":
		fmt.Println("etcd", version.Version)
		return nil
	case "follower":
		if len(rest) != 2 || rest[0] != "--server" {
			return fmt.Errorf("usage: etcd-peer follower --server URL,URL,...")
		}
		return printFollower(strings.Split(rest[1], ","))
	case "bench":
		return bench(rest)
	default:
		return fmt.Errorf("unknown command %q", arguments[1])
	}
}

func dial(server string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{server}, DialTimeout: requestLimit})
}

// printFollower waits until every server answers a linearizable read, and prints the URL of a
// follower.
func printFollower(servers []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	follower := ""
	for _, server := range servers {
		client, err := dial(server)
		if err != nil {
			return err
		}
		defer client.Close()
		for {
			if _, err = client.Get(ctx, "none"); err == nil {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("%s does not serve: %w", server, err)
			}
		}
		status, err := client.Status(ctx, server)
		if err != nil {
			return err
		}
		if status.Leader != status.Header.MemberId {
			follower = server
		}
	}
	if follower == "" {
		return fmt.Errorf("no server is a follower")
	}
	fmt.Println(follower)
	return nil
}
