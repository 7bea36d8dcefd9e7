package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// pause is the time to wait after a failed request, so that a dead server does not receive
// thousands of requests per second.
const pause = 50 * time.Millisecond

// load is the load on the servers. Its fields have the names of the options of `quorate bench`.
type load struct {
	workload string
	servers  []string
	clients  int
	nodes    int
	prefix   string
	warmUp   time.Duration
	duration time.Duration
	token    atomic.Uint64
}

// figures are the results, encoded as `quorate bench --json` prints them.
type figures struct {
	Served         int            `json:"served"`
	RatePerSecond  float64        `json:"rate_per_second"`
	BytesPerAnswer int            `json:"bytes_per_answer"`
	LatencyMs      latency        `json:"latency_ms"`
	Errors         map[string]int `json:"errors"`
}

type latency struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

// tally is the results of one client: the requests that ended within the measured time.
type tally struct {
	latencies []time.Duration
	answered  int
	bytes     int
	errors    map[string]int
}

func bench(arguments []string) error {
	l, err := readLoad(arguments)
	if err != nil {
		return err
	}
	if err = l.announce(); err != nil {
		return err
	}
	tallies, err := l.run()
	if err != nil {
		return err
	}
	if err = l.withdraw(); err != nil {
		fmt.Fprintln(os.Stderr, "etcd-peer: cannot delete the keys:", err)
	}
	return json.NewEncoder(os.Stdout).Encode(l.summary(tallies))
}

func readLoad(arguments []string) (*load, error) {
	l := &load{}
	if len(arguments) == 0 || (arguments[0] != "lookup" && arguments[0] != "change") {
		return nil, fmt.Errorf("usage: etcd-peer bench {lookup|change} ...")
	}
	l.workload = arguments[0]
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	servers := flags.String("server", "", "URLs, separated by commas")
	ofType := flags.String("of-type", "bench", "the prefix of the keys")
	flags.IntVar(&l.clients, "clients", 64, "number of clients, each with its own connection")
	flags.IntVar(&l.nodes, "nodes", 100, "number of keys")
	flags.DurationVar(&l.warmUp, "warm-up", time.Second, "duration of the load before it is measured")
	flags.DurationVar(&l.duration, "duration", 10*time.Second, "duration of the measurement")
	flags.Bool("json", true, "ignored: the output is always JSON")
	if err := flags.Parse(arguments[1:]); err != nil {
		return nil, err
	}
	l.servers = strings.Split(*servers, ",")
	l.prefix = *ofType + "/"
	return l, nil
}

func (l *load) key(node int) string {
	return fmt.Sprintf("%sbench-12345-%d", l.prefix, node)
}

// value returns a service as a lookup on a discovery server shows it, with a new token each time.
func (l *load) value(node int) string {
	return fmt.Sprintf(`{"id":"00012345-0000-4000-8000-%012x","nodeId":"bench-12345-%d",`+
		`"type":"bench","pool":"general","location":"/bench/%d",`+
		`"properties":{"node_version":"476","coordinator":"false","http":"http://10.0.%d.%d:8080",`+
		`"connectorIds":"system,hive,iceberg,tpch","token":"%d"}}`,
		node, node, node, node/256%256, node%256, l.token.Add(1))
}

func (l *load) announce() error {
	client, err := dial(l.servers[0])
	if err != nil {
		return err
	}
	defer client.Close()
	for node := range l.nodes {
		ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
		_, err = client.Put(ctx, l.key(node), l.value(node))
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *load) withdraw() error {
	client, err := dial(l.servers[0])
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
	defer cancel()
	_, err = client.Delete(ctx, l.prefix, clientv3.WithPrefix())
	return err
}

// run runs all clients. Each client sends its next request as soon as it has the response to its
// last one.
func (l *load) run() ([]tally, error) {
	clients := make([]*clientv3.Client, l.clients)
	for i := range clients {
		client, err := dial(l.servers[i%len(l.servers)])
		if err != nil {
			return nil, err
		}
		defer client.Close()
		clients[i] = client
	}
	from := time.Now().Add(l.warmUp)
	to := from.Add(l.duration)
	tallies := make([]tally, l.clients)
	var all sync.WaitGroup
	for i, client := range clients {
		all.Go(func() { l.ask(client, i, from, to, &tallies[i]) })
	}
	all.Wait()
	return tallies, nil
}

func (l *load) ask(client *clientv3.Client, number int, from, to time.Time, seen *tally) {
	seen.errors = map[string]int{}
	for node := number % l.nodes; ; node = (node + l.clients) % l.nodes {
		began := time.Now()
		if !began.Before(to) {
			return
		}
		bytes, err := l.one(client, node)
		ended := time.Now()
		if err != nil {
			time.Sleep(pause)
		}
		if err == nil && !ended.Before(from) && ended.Before(to) {
			seen.answered++
		}
		if began.Before(from) {
			continue
		}
		if err != nil {
			seen.errors[err.Error()]++
			continue
		}
		seen.latencies = append(seen.latencies, ended.Sub(began))
		seen.bytes += bytes
	}
}

// one sends one request, and returns the number of bytes of keys and values in the response.
func (l *load) one(client *clientv3.Client, node int) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
	defer cancel()
	if l.workload == "change" {
		_, err := client.Put(ctx, l.key(node), l.value(node))
		return 0, err
	}
	answer, err := client.Get(ctx, l.prefix, clientv3.WithPrefix())
	if err != nil {
		return 0, err
	}
	bytes := 0
	for _, pair := range answer.Kvs {
		bytes += len(pair.Key) + len(pair.Value)
	}
	return bytes, nil
}

func (l *load) summary(tallies []tally) figures {
	var latencies []time.Duration
	answered, bytes := 0, 0
	errors := map[string]int{}
	for _, seen := range tallies {
		latencies = append(latencies, seen.latencies...)
		answered += seen.answered
		bytes += seen.bytes
		for why, count := range seen.errors {
			errors[why] += count
		}
	}
	slices.Sort(latencies)
	at := func(quantile float64) float64 {
		if len(latencies) == 0 {
			return 0
		}
		rank := min(int(quantile*float64(len(latencies))), len(latencies)-1)
		return float64(latencies[rank].Microseconds()) / 1000
	}
	return figures{
		Served:         len(latencies),
		RatePerSecond:  float64(answered) / l.duration.Seconds(),
		BytesPerAnswer: bytes / max(len(latencies), 1),
		LatencyMs:      latency{P50: at(0.5), P99: at(0.99), P999: at(0.999), Max: at(1)},
		Errors:         errors,
	}
}
