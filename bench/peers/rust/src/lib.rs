// SPDX-License-Identifier: MIT

//! What the programs in this folder share: the command line and measuring, as in ../peer.hpp, and the parts of the works of
//! ../../work that do not depend on a task system.

use std::time::{Duration, Instant};

pub const FIB_OF: u32 = 27;
pub const FIB_RESULT: u64 = 196418;
pub const FIB_CALLS: f64 = 635621.0;
pub const LOOP_CHILDREN: usize = 1_000_000;
pub const SKYNET_LEAVES: u64 = 1_000_000;
pub const SKYNET_TASKS: f64 = 1_111_111.0;
pub const SKYNET_RESULT: u64 = SKYNET_LEAVES * (SKYNET_LEAVES - 1) / 2;
pub const QUEENS_SOLUTIONS: u64 = 14200;

pub struct Work<'a> {
    pub name: &'static str,
    pub unit: &'static str,
    pub units: f64,
    pub run: Box<dyn Fn() + 'a>,
}

pub fn work<'a>(name: &'static str, unit: &'static str, units: f64, run: impl Fn() + 'a) -> Work<'a> {
    Work { name, unit, units, run: Box::new(run) }
}

// -- nqueens --

pub const QUEENS: usize = 12;

#[derive(Clone, Copy, Default)]
pub struct Board {
    columns: [i8; QUEENS],
    pub row: usize,
}

impl Board {
    fn safe(&self, column: i32) -> bool {
        let mut distance = self.row as i32;
        for &queen in &self.columns[..self.row] {
            let sideways = i32::from(queen) - column;
            if sideways == 0 || sideways == distance || sideways == -distance {
                return false;
            }
            distance -= 1;
        }
        true
    }

    /// The board with a further queen, if that is safe.
    pub fn place(&self, column: usize) -> Option<Board> {
        if !self.safe(column as i32) {
            return None;
        }
        let mut next = *self;
        next.columns[self.row] = column as i8;
        next.row += 1;
        Some(next)
    }
}

// -- UTS T3, see ../../work/uts.h --

pub const T3_ROOT_CHILDREN: u32 = 2000;
pub const T3_NODES: u64 = 4_112_897;
const T3_SEED: u32 = 42;
const T3_CHILDREN: u32 = 8;
const T3_PROBABILITY: f64 = 0.124875;

#[derive(Clone, Copy)]
pub struct Node([u32; 5]);

const SHA1_START: [u32; 5] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];

struct Sha1 {
    window: [u32; 16],
    state: [u32; 5],
}

impl Sha1 {
    /// A loop for each kind of round: chosen inside one loop, they take four times as long.
    #[inline(always)]
    fn rounds(&mut self, rounds: std::ops::Range<usize>, constant: u32, mix: impl Fn(u32, u32, u32) -> u32) {
        let window = &mut self.window;
        for round in rounds {
            if round >= 16 {
                window[round & 15] = (window[(round + 13) & 15]
                    ^ window[(round + 8) & 15]
                    ^ window[(round + 2) & 15]
                    ^ window[round & 15])
                    .rotate_left(1);
            }
            let [a, b, c, d, e] = self.state;
            let next = a
                .rotate_left(5)
                .wrapping_add(mix(b, c, d))
                .wrapping_add(e)
                .wrapping_add(constant)
                .wrapping_add(window[round & 15]);
            self.state = [next, a, b.rotate_left(30), c, d];
        }
    }
}

/// SHA-1 of a message that fits one padded block.
fn sha1(window: [u32; 16]) -> Node {
    let mut sha1 = Sha1 { window, state: SHA1_START };
    sha1.rounds(0..20, 0x5a827999, |b, c, d| (b & c) | (!b & d));
    sha1.rounds(20..40, 0x6ed9eba1, |b, c, d| b ^ c ^ d);
    sha1.rounds(40..60, 0x8f1bbcdc, |b, c, d| (b & c) | (b & d) | (c & d));
    sha1.rounds(60..80, 0xca62c1d6, |b, c, d| b ^ c ^ d);
    Node(std::array::from_fn(|i| SHA1_START[i].wrapping_add(sha1.state[i])))
}

impl Node {
    pub fn root() -> Node {
        let mut window = [0; 16];
        window[4] = T3_SEED;
        window[5] = 0x80000000;
        window[15] = 20 * 8;
        sha1(window)
    }

    pub fn child(&self, index: u32) -> Node {
        let mut window = [0; 16];
        window[..5].copy_from_slice(&self.0);
        window[5] = index;
        window[6] = 0x80000000;
        window[15] = 24 * 8;
        sha1(window)
    }

    /// Of a node that is not the root.
    pub fn children(&self) -> u32 {
        let random = f64::from(self.0[4] & 0x7fffffff) / 2147483648.0;
        if random < T3_PROBABILITY {
            T3_CHILDREN
        } else {
            0
        }
    }
}

// -- Command line and measuring --

const MEASURED: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(15);
const MOST_RUNS: usize = 50;

fn timed(run: &dyn Fn()) -> Duration {
    let began = Instant::now();
    run();
    began.elapsed()
}

fn measure(work: &Work, workers: usize) {
    let first = timed(&*work.run);
    let mut runs = Vec::new();
    if first >= LONG {
        runs.push(first);
    }
    while first < LONG && runs.iter().sum::<Duration>() < MEASURED && runs.len() < MOST_RUNS {
        runs.push(timed(&*work.run));
    }
    runs.sort();
    let per_unit = |run: &Duration| run.as_secs_f64() * 1e9 / work.units;
    let (median, least) = (per_unit(&runs[runs.len() / 2]), per_unit(&runs[0]));
    println!("{} {} {} {:.1} {:.1}", work.name, workers, work.unit, median, least);
}

fn usage(status: i32) -> ! {
    let text = "Usage: PROGRAM WORK WORKERS\n\
                Measures a work and prints: WORK WORKERS UNIT MEDIAN MINIMUM (nanoseconds a unit).\n\
                --list names the works.";
    if status == 0 {
        println!("{text}");
    } else {
        eprintln!("{text}");
    }
    std::process::exit(status)
}

/// Does what the command line says; `with_works` makes a task system of so many workers and calls back with its works.
pub fn main_of(with_works: impl FnOnce(usize, &dyn Fn(Vec<Work>))) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--help"] => usage(0),
        ["--list"] => with_works(1, &|works| works.iter().for_each(|work| println!("{}", work.name))),
        [name, workers] => {
            let workers = workers.parse().unwrap_or(0);
            if !(1..=1024).contains(&workers) {
                usage(2);
            }
            with_works(workers, &|works| match works.iter().find(|work| work.name == name) {
                Some(work) => measure(work, workers),
                None => {
                    eprintln!("no such work: {name}");
                    std::process::exit(2)
                }
            })
        }
        _ => usage(2),
    }
}
