// SPDX-License-Identifier: MIT

// The works of ../../work/work.hpp with plain goroutines: a spawned call is a goroutine, a scope a sync.WaitGroup. Besides:
//
//	turns          two goroutines yield to each other               units: yields
//	io_100 ...     that many goroutines ask 10 times each, over a channel, a dispatcher goroutine that answers them in
//	               batches once all wait: a stand-in for batched I/O  units: requests
//
// Called as `PROGRAM WORK WORKERS`; see ../peer.hpp for what it prints.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"sync"
	"time"
)

type work struct {
	name  string
	unit  string
	units float64
	run   func()
}

func expect(result, expected uint64, what string) {
	if result != expected {
		fmt.Fprintf(os.Stderr, "%s: wrong result\n", what)
		os.Exit(1)
	}
}

// -- fib --

const fibOf, fibResult, fibCalls = 27, 196418, 635621

func fibCall(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	var a uint64
	var scope sync.WaitGroup
	scope.Add(1)
	go func() {
		a = fibCall(n - 1)
		scope.Done()
	}()
	b := fibCall(n - 2)
	scope.Wait()
	return a + b
}

func fibBothCall(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	var a, b uint64
	var scope sync.WaitGroup
	scope.Add(2)
	go func() {
		a = fibBothCall(n - 1)
		scope.Done()
	}()
	go func() {
		b = fibBothCall(n - 2)
		scope.Done()
	}()
	scope.Wait()
	return a + b
}

// -- loop --

const loopChildren = 1000000

func loop() {
	var scope sync.WaitGroup
	scope.Add(loopChildren)
	for i := 0; i < loopChildren; i++ {
		go scope.Done()
	}
	scope.Wait()
}

// -- skynet --

const skynetLeaves, skynetTasks = 1000000, 1111111

func skynetCall(first, leaves uint64) uint64 {
	if leaves == 1 {
		return first
	}
	var results [10]uint64
	var scope sync.WaitGroup
	scope.Add(10)
	for i := uint64(0); i < 10; i++ {
		i := i
		go func() {
			results[i] = skynetCall(first+i*leaves/10, leaves/10)
			scope.Done()
		}()
	}
	scope.Wait()
	sum := uint64(0)
	for _, result := range results {
		sum += result
	}
	return sum
}

// -- nqueens --

const queens, queensSolutions = 12, 14200

type board struct {
	columns [queens]int8
	row     int
}

func (b *board) safe(column int) bool {
	for i := 0; i < b.row; i++ {
		sideways := int(b.columns[i]) - column
		if sideways == 0 || sideways == b.row-i || sideways == i-b.row {
			return false
		}
	}
	return true
}

func queensCall(b board) uint64 {
	if b.row == queens {
		return 1
	}
	var results [queens]uint64
	var scope sync.WaitGroup
	for column := 0; column < queens; column++ {
		if !b.safe(column) {
			continue
		}
		next := b
		next.columns[b.row] = int8(column)
		next.row++
		result := &results[column]
		scope.Add(1)
		go func() {
			*result = queensCall(next)
			scope.Done()
		}()
	}
	scope.Wait()
	sum := uint64(0)
	for _, result := range results {
		sum += result
	}
	return sum
}

// -- UTS T3, see ../../work/uts.h --

const (
	t3Seed, t3RootChildren, t3Children, t3Nodes = 42, 2000, 8, 4112897
	t3Probability                               = 0.124875
)

type node [5]uint32

func rotate(value uint32, bits uint) uint32 {
	return value<<bits | value>>(32-bits)
}

// The next of the 80 words that the rounds add; the last 16 are kept.
func word(window *[16]uint32, round int) uint32 {
	if round >= 16 {
		window[round&15] = rotate(window[(round+13)&15]^window[(round+8)&15]^window[(round+2)&15]^window[round&15], 1)
	}
	return window[round&15]
}

// SHA-1 of a message that fits one padded block.
func sha1(window *[16]uint32) node {
	a, b, c, d, e := uint32(0x67452301), uint32(0xefcdab89), uint32(0x98badcfe), uint32(0x10325476), uint32(0xc3d2e1f0)
	round := 0
	for ; round < 20; round++ {
		a, b, c, d, e = rotate(a, 5)+(b&c|^b&d)+e+0x5a827999+word(window, round), a, rotate(b, 30), c, d
	}
	for ; round < 40; round++ {
		a, b, c, d, e = rotate(a, 5)+(b^c^d)+e+0x6ed9eba1+word(window, round), a, rotate(b, 30), c, d
	}
	for ; round < 60; round++ {
		a, b, c, d, e = rotate(a, 5)+(b&c|b&d|c&d)+e+0x8f1bbcdc+word(window, round), a, rotate(b, 30), c, d
	}
	for ; round < 80; round++ {
		a, b, c, d, e = rotate(a, 5)+(b^c^d)+e+0xca62c1d6+word(window, round), a, rotate(b, 30), c, d
	}
	return node{a + 0x67452301, b + 0xefcdab89, c + 0x98badcfe, d + 0x10325476, e + 0xc3d2e1f0}
}

func rootNode() node {
	return sha1(&[16]uint32{4: t3Seed, 5: 0x80000000, 15: 20 * 8})
}

func (n *node) child(index uint32) node {
	return sha1(&[16]uint32{n[0], n[1], n[2], n[3], n[4], index, 0x80000000, 15: 24 * 8})
}

func utsBelow(parent *node, children uint32) uint64 {
	results := make([]uint64, children)
	var scope sync.WaitGroup
	scope.Add(int(children))
	for i := uint32(0); i < children; i++ {
		result, child := &results[i], parent.child(i)
		go func() {
			*result = utsCall(&child)
			scope.Done()
		}()
	}
	scope.Wait()
	sum := uint64(1)
	for _, result := range results {
		sum += result
	}
	return sum
}

func utsCall(n *node) uint64 {
	if float64(n[4]&0x7fffffff)/2147483648.0 >= t3Probability {
		return 1
	}
	return utsBelow(n, t3Children)
}

func uts() {
	root := rootNode()
	expect(utsBelow(&root, t3RootChildren), t3Nodes, "uts_t3")
}

// -- Turns --

const turns = 1000000

func twoInTurn() {
	var scope sync.WaitGroup
	scope.Add(2)
	for i := 0; i < 2; i++ {
		go func() {
			for j := 0; j < turns/2; j++ {
				runtime.Gosched()
			}
			scope.Done()
		}()
	}
	scope.Wait()
}

// -- Requests --

const rounds = 10

type request struct {
	input uint64
	reply chan uint64
}

// Collects what all tasks that are left ask for, and answers it as one batch. Every task asks `rounds` times, so a batch is
// complete when it has a request of each.
func dispatch(requests <-chan request, tasks int) {
	batch := make([]request, 0, tasks)
	for round := 0; round < rounds; round++ {
		for batch = batch[:0]; len(batch) < tasks; {
			batch = append(batch, <-requests)
		}
		for _, asked := range batch {
			asked.reply <- asked.input
		}
	}
}

func io(tasks int) {
	requests := make(chan request, tasks)
	var scope sync.WaitGroup
	scope.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			reply := make(chan uint64, 1)
			for round := uint64(0); round < rounds; round++ {
				requests <- request{round, reply}
				expect(<-reply, round, "echo")
			}
			scope.Done()
		}()
	}
	dispatch(requests, tasks)
	scope.Wait()
}

func ioOf(name string, tasks int) work {
	return work{name, "request", float64(tasks * rounds), func() { io(tasks) }}
}

var works = []work{
	{"fib", "call", fibCalls, func() { expect(fibCall(fibOf), fibResult, "fib") }},
	{"fib_both", "call", fibCalls, func() { expect(fibBothCall(fibOf), fibResult, "fib_both") }},
	{"loop", "child", loopChildren, loop},
	{"skynet", "task", skynetTasks, func() {
		expect(skynetCall(0, skynetLeaves), skynetLeaves*(skynetLeaves-1)/2, "skynet")
	}},
	{"nqueens", "board", 1, func() { expect(queensCall(board{}), queensSolutions, "nqueens") }},
	{"uts_t3", "node", t3Nodes, uts},
	{"turns", "turn", turns, twoInTurn},
	ioOf("io_100", 100),
	ioOf("io_10k", 10000),
	ioOf("io_100k", 100000),
	ioOf("io_1m", 1000000),
}

const measured, long, mostRuns = 400 * time.Millisecond, 15 * time.Second, 50

func timed(run func()) time.Duration {
	began := time.Now()
	run()
	return time.Since(began)
}

func measure(w work, workers int) {
	runs := []time.Duration{timed(w.run)}
	if runs[0] < long {
		runs = runs[:0]
		for sum := time.Duration(0); sum < measured && len(runs) < mostRuns; sum += runs[len(runs)-1] {
			runs = append(runs, timed(w.run))
		}
	}
	sort.Slice(runs, func(i, j int) bool { return runs[i] < runs[j] })
	fmt.Printf("%s %d %s %.4g %.4g\n", w.name, workers, w.unit,
		float64(runs[len(runs)/2].Nanoseconds())/w.units, float64(runs[0].Nanoseconds())/w.units)
}

func usage(stream *os.File, status int) {
	fmt.Fprintf(stream, "Usage: %s WORK WORKERS\n"+
		"Measures a work and prints: WORK WORKERS UNIT MEDIAN MINIMUM (nanoseconds a unit).\n"+
		"--list names the works.\n", os.Args[0])
	os.Exit(status)
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--help" {
		usage(os.Stdout, 0)
	}
	if len(os.Args) == 2 && os.Args[1] == "--list" {
		for _, w := range works {
			fmt.Println(w.name)
		}
		return
	}
	if len(os.Args) != 3 {
		usage(os.Stderr, 2)
	}
	workers, err := strconv.Atoi(os.Args[2])
	if err != nil || workers < 1 {
		usage(os.Stderr, 2)
	}
	runtime.GOMAXPROCS(workers)
	debug.SetMaxStack(1 << 30)
	for _, w := range works {
		if w.name == os.Args[1] {
			measure(w, workers)
			return
		}
	}
	fmt.Fprintf(os.Stderr, "%s: no such work: %s\n", os.Args[0], os.Args[1])
	os.Exit(2)
}
