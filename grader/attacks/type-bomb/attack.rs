//! A type that doubles with every step.

pub trait Grow {
    const SIZE: usize;
}

pub struct Twice<A, B>(A, B);

impl Grow for () {
    const SIZE: usize = 1;
}

impl<A: Grow, B: Grow> Grow for Twice<A, B> {
    const SIZE: usize = A::SIZE + B::SIZE;
}

fn grow<T: Grow>(depth: usize) -> usize {
    if depth == 0 { T::SIZE } else { grow::<Twice<T, T>>(depth - 1) }
}

pub fn bomb() -> usize {
    grow::<()>(1000)
}

before_main!(start);

fn start() {
    std::hint::black_box(bomb());
}
