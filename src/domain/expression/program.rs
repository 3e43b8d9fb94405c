//! An expression as steps for a stack of numbers: no name is looked up and nothing is allocated
//! when it is worked out.

use crate::domain::expression::WAITING_MAX;

/// A function or operator of one number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum One {
    Negative,
    Ln,
    Log10,
    Exp,
    Sqrt,
    Abs,
}

/// A function or operator of two numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Two {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Min,
    Max,
}

/// One step.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Step {
    Number(f64),
    /// The number of an input, by its place.
    Input(u8),
    One(One),
    Two(Two),
    /// `value * multiply / divide + add`: from unit to unit.
    Linear {
        multiply: f64,
        divide: f64,
        add: f64,
    },
}

impl One {
    pub(super) fn of(self, number: f64) -> f64 {
        match self {
            Self::Negative => -number,
            Self::Ln => number.ln(),
            Self::Log10 => number.log10(),
            Self::Exp => number.exp(),
            Self::Sqrt => number.sqrt(),
            Self::Abs => number.abs(),
        }
    }
}

impl Two {
    pub(super) fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Power => left.powf(right),
            // Unlike f64::min and f64::max: what is no number stays none.
            Self::Min | Self::Max if left.is_nan() || right.is_nan() => f64::NAN,
            Self::Min => left.min(right),
            Self::Max => left.max(right),
        }
    }
}

/// The numbers of the steps so far. Compilation counts how many there can be.
struct Stack {
    numbers: [f64; WAITING_MAX],
    length: usize,
}

impl Stack {
    fn push(&mut self, number: f64) {
        if let Some(place) = self.numbers.get_mut(self.length) {
            *place = number;
            self.length += 1;
        }
    }

    fn pop(&mut self) -> f64 {
        self.length = self.length.saturating_sub(1);
        self.numbers.get(self.length).copied().unwrap_or(f64::NAN)
    }
}

/// Works the steps out.
pub(super) fn run(steps: &[Step], inputs: &[f64]) -> f64 {
    let mut stack = Stack { numbers: [f64::NAN; WAITING_MAX], length: 0 };
    for step in steps {
        let number = match *step {
            Step::Number(number) => number,
            Step::Input(place) => inputs.get(usize::from(place)).copied().unwrap_or(f64::NAN),
            Step::One(one) => one.of(stack.pop()),
            Step::Two(two) => {
                let right = stack.pop();
                two.of(stack.pop(), right)
            }
            Step::Linear { multiply, divide, add } => stack.pop() * multiply / divide + add,
        };
        stack.push(number);
    }
    stack.pop()
}
