// SPDX-License-Identifier: MIT

//! The works of ../../work/work.hpp with Tokio: a spawned call is a task, waiting is awaiting its handle. Besides:
//!
//!   turns   two tasks yield to each other    units: yields

use peers::*;
use std::future::Future;
use std::pin::Pin;
use tokio::task::{spawn, JoinHandle};

type Counting = Pin<Box<dyn Future<Output = u64> + Send>>;

const TURNS: usize = 1_000_000;

async fn sum(children: Vec<JoinHandle<u64>>) -> u64 {
    let mut sum = 0;
    for child in children {
        sum += child.await.expect("a result");
    }
    sum
}

fn fib(n: u32) -> Counting {
    Box::pin(async move {
        if n < 2 {
            return u64::from(n);
        }
        let a = spawn(fib(n - 1));
        let b = fib(n - 2).await;
        a.await.expect("a result") + b
    })
}

fn fib_both(n: u32) -> Counting {
    Box::pin(async move {
        if n < 2 {
            return u64::from(n);
        }
        let (a, b) = (spawn(fib_both(n - 1)), spawn(fib_both(n - 2)));
        a.await.expect("a result") + b.await.expect("a result")
    })
}

async fn empty_children() -> u64 {
    sum((0..LOOP_CHILDREN).map(|_| spawn(async { 0 })).collect()).await
}

fn skynet(first: u64, leaves: u64) -> Counting {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        sum((0..10).map(|i| spawn(skynet(first + i * leaves / 10, leaves / 10))).collect()).await
    })
}

fn queens(board: Board) -> Counting {
    Box::pin(async move {
        if board.row == QUEENS {
            return 1;
        }
        sum((0..QUEENS).filter_map(|column| board.place(column)).map(|next| spawn(queens(next))).collect()).await
    })
}

async fn below(parent: Node, children: u32) -> u64 {
    1 + sum((0..children).map(|i| spawn(uts(parent.child(i)))).collect()).await
}

fn uts(node: Node) -> Counting {
    Box::pin(async move {
        match node.children() {
            0 => 1,
            children => below(node, children).await,
        }
    })
}

async fn turns() -> u64 {
    for _ in 0..TURNS / 2 {
        tokio::task::yield_now().await;
    }
    0
}

fn main() {
    main_of(|workers, call| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).build().expect("a runtime");
        // Not block_on alone: the calling thread is not one of the workers.
        let run = |future: Counting| runtime.block_on(async { spawn(future).await.expect("a result") });
        call(vec![
            work("fib", "call", FIB_CALLS, || assert_eq!(run(fib(FIB_OF)), FIB_RESULT)),
            work("fib_both", "call", FIB_CALLS, || assert_eq!(run(fib_both(FIB_OF)), FIB_RESULT)),
            work("loop", "child", LOOP_CHILDREN as f64, || assert_eq!(run(Box::pin(empty_children())), 0)),
            work("skynet", "task", SKYNET_TASKS, || assert_eq!(run(skynet(0, SKYNET_LEAVES)), SKYNET_RESULT)),
            work("nqueens", "board", 1.0, || assert_eq!(run(queens(Board::default())), QUEENS_SOLUTIONS)),
            work("uts_t3", "node", T3_NODES as f64, || {
                assert_eq!(run(Box::pin(below(Node::root(), T3_ROOT_CHILDREN))), T3_NODES)
            }),
            work("turns", "turn", TURNS as f64, || {
                run(Box::pin(async { sum(vec![spawn(turns()), spawn(turns())]).await }));
            }),
        ]);
    });
}
