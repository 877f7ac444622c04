// SPDX-License-Identifier: MIT

//! The works of ../../work/work.hpp with Rayon: two branches are a `join`, more of them a `scope`.

use peers::*;

fn fib(n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = rayon::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

fn empty_children() {
    rayon::scope(|scope| {
        for _ in 0..LOOP_CHILDREN {
            scope.spawn(|_| ());
        }
    });
}

fn skynet(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let mut results = [0; 10];
    rayon::scope(|scope| {
        for (i, result) in (0..).zip(results.iter_mut()) {
            scope.spawn(move |_| *result = skynet(first + i * leaves / 10, leaves / 10));
        }
    });
    results.iter().sum()
}

fn queens(board: Board) -> u64 {
    if board.row == QUEENS {
        return 1;
    }
    let mut results = [0; QUEENS];
    rayon::scope(|scope| {
        for (column, result) in results.iter_mut().enumerate() {
            if let Some(next) = board.place(column) {
                scope.spawn(move |_| *result = queens(next));
            }
        }
    });
    results.iter().sum()
}

fn below(parent: &Node, results: &mut [u64]) -> u64 {
    rayon::scope(|scope| {
        for (i, result) in (0..).zip(results.iter_mut()) {
            let child = parent.child(i);
            scope.spawn(move |_| *result = uts(&child));
        }
    });
    1 + results.iter().sum::<u64>()
}

fn uts(node: &Node) -> u64 {
    match node.children() {
        0 => 1,
        children => below(node, &mut [0; 8][..children as usize]),
    }
}

fn main() {
    main_of(|workers, call| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(workers).stack_size(1 << 30).build().expect("a thread pool");
        call(vec![
            work("fib", "call", FIB_CALLS, || assert_eq!(pool.install(|| fib(FIB_OF)), FIB_RESULT)),
            work("loop", "child", LOOP_CHILDREN as f64, || pool.install(empty_children)),
            work("skynet", "task", SKYNET_TASKS, || {
                assert_eq!(pool.install(|| skynet(0, SKYNET_LEAVES)), SKYNET_RESULT)
            }),
            work("nqueens", "board", 1.0, || assert_eq!(pool.install(|| queens(Board::default())), QUEENS_SOLUTIONS)),
            work("uts_t3", "node", T3_NODES as f64, || {
                let mut results = vec![0; T3_ROOT_CHILDREN as usize];
                assert_eq!(pool.install(|| below(&Node::root(), &mut results)), T3_NODES)
            }),
        ]);
    });
}
