//! The expression of a derived datastream. Its syntax is CEL's, read by the crate; what it means
//! is weir's own: arithmetic of quantities, whose units are checked when the seeds load, and of
//! plain numbers. Compiled once, it is worked out without a look-up and without an allocation.

mod program;

use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use cel::parser::Parser;

use crate::domain::dimension::{Base, Powers};
use crate::domain::expression::program::{One, Step, Two, run};
use crate::domain::name::DatastreamId;
use crate::domain::unit::{Unit, UnitIndex, Units};

/// How long the text of an expression may be.
pub const EXPRESSION_BYTES_MAX: usize = 1024;
/// How many signs (`+ - * / ( , .`) it may have.
pub const EXPRESSION_SIGNS_MAX: usize = 96;
/// How deep brackets may be nested. In a build for tests the parser takes 180 kB of stack for
/// each, and a thread has 2 MB.
pub const EXPRESSION_DEPTH_MAX: usize = 6;
/// How many datastreams it may name.
pub const EXPRESSION_INPUTS_MAX: usize = 8;

/// How many numbers wait at most: in each bracket the first argument of a function, what is added
/// to and what is multiplied.
const WAITING_MAX: usize = 3 * (EXPRESSION_DEPTH_MAX + 1);

/// How an expression names a datastream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named<'a> {
    /// `flow`: of the same station, without a position.
    Property(&'a str),
    /// `at("L1", "voltage")`: of the same station, at a position.
    At(&'a str, &'a str),
    /// `datastream("hunhe-changqing/flow")`: by its whole name.
    Whole(&'a str),
}

/// What is wrong with an expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

/// What an expression's name leads to: a datastream and its canonical unit, or what is wrong, if
/// that was not told elsewhere.
pub type Found = Result<(DatastreamId, UnitIndex), Option<Wrong>>;

/// A compiled expression.
#[derive(Clone, PartialEq, Debug)]
pub struct Expression {
    steps: Box<[Step]>,
    inputs: Box<[DatastreamId]>,
}

impl Expression {
    /// Compiles a text whose result is of a unit. `find` looks a datastream up and gives its
    /// canonical unit; where it gives no wrong, it was told elsewhere.
    ///
    /// # Errors
    /// All that is wrong with it; nothing if all of it was told elsewhere.
    pub fn compile(
        text: &str,
        units: &Units,
        result: UnitIndex,
        find: &mut dyn FnMut(Named<'_>) -> Found,
    ) -> Result<Self, Vec<Wrong>> {
        plain(text).map_err(|wrong| vec![wrong])?;
        let parsed = Parser::new().parse(text).map_err(|faults| {
            let first = faults.errors.first();
            let place = first.map_or(0, |fault| fault.pos.1);
            let said = first.map_or("no expression", |fault| &fault.msg);
            let said: String = said.chars().take(200).collect();
            let found = format!("`{text}`, in which at character {place}: {said}");
            vec![wrong(found, "an expression such as `ammonia_nitrogen * flow`")]
        })?;
        let (steps, inputs, wrongs) = (Vec::new(), Vec::new(), Vec::new());
        let mut compiler = Compiler { units, find, steps, inputs, wrongs, depth: 0, sound: true };
        let node = compiler.node(&parsed.expr);
        compiler.finish(&node, result);
        let Compiler { steps, inputs, wrongs, sound, .. } = compiler;
        if !wrongs.is_empty() || !sound {
            return Err(wrongs);
        }
        Ok(Self { steps: steps.into(), inputs: inputs.into() })
    }

    /// Gives the datastreams that it names, each once, in the order of their first naming.
    #[must_use]
    pub fn inputs(&self) -> &[DatastreamId] {
        &self.inputs
    }

    /// Works it out from a number for each input; nothing where that is no finite number.
    #[must_use]
    pub fn evaluate(&self, inputs: &[f64]) -> Option<f64> {
        Some(run(&self.steps, inputs)).filter(|number| number.is_finite())
    }
}

/// Looks at a text before the parser does, which would follow it as deep as it goes.
fn plain(text: &str) -> Result<(), Wrong> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let found = format!("an expression of {} bytes", text.len());
        return Err(wrong(found, format!("at most {EXPRESSION_BYTES_MAX}")));
    }
    let (mut quoted, mut signs, mut open, mut deepest) = (false, 0, 0_usize, 0);
    let mut before = ' ';
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            _ if quoted && !letter.is_control() && letter != '\\' => {}
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            '+' | '-' | '*' | '/' | ',' => {}
            _ if letter.is_ascii_alphanumeric() || "_. ".contains(letter) => {}
            _ => {
                let found = format!("`{}` in `{text}`", letter.escape_debug());
                let expected = "names, numbers, `+`, `-`, `*`, `/`, brackets, commas and texts \
                                in `\"`";
                return Err(wrong(found, expected));
            }
        }
        // A point in a number is no sign, but one before a name is.
        let names = letter.is_ascii_alphabetic() && before == '.';
        signs += usize::from(!quoted && ("+-*/(,".contains(letter) || names));
        before = letter;
        deepest = deepest.max(open);
    }
    if signs > EXPRESSION_SIGNS_MAX {
        let expected = format!("at most {EXPRESSION_SIGNS_MAX}");
        return Err(wrong(format!("{signs} operators, brackets and commas"), expected));
    }
    if deepest > EXPRESSION_DEPTH_MAX {
        let expected = format!("at most {EXPRESSION_DEPTH_MAX}");
        return Err(wrong(format!("{deepest} brackets in each other"), expected));
    }
    Ok(())
}

fn wrong(found: impl Into<String>, expected: impl Into<String>) -> Wrong {
    Wrong { found: found.into(), expected: expected.into() }
}

/// What a part of an expression is a number of.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    /// A product of powers; a plain number is one.
    Powers(Powers),
    /// A dimension that has no part in products, such as temperature or pH.
    Own(Box<str>),
}

/// A part that was compiled: what it is of, where that is known, and its number, where that is
/// the same at all times.
#[derive(Clone, PartialEq, Debug)]
struct Node {
    kind: Option<Kind>,
    number: Option<f64>,
}

/// A part of which something is wrong that was told.
const TOLD: Node = Node { kind: None, number: None };

struct Compiler<'a> {
    units: &'a Units,
    find: &'a mut dyn FnMut(Named<'_>) -> Found,
    steps: Vec<Step>,
    inputs: Vec<DatastreamId>,
    wrongs: Vec<Wrong>,
    /// How many numbers wait on the stack here.
    depth: usize,
    /// Whether nothing is wrong, told here or elsewhere.
    sound: bool,
}

impl Compiler<'_> {
    fn wrong(&mut self, found: impl Into<String>, expected: impl Into<String>) -> Node {
        self.wrongs.push(wrong(found, expected));
        TOLD
    }

    fn node(&mut self, expression: &Expr) -> Node {
        match expression {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Ident(name) => self.input(Named::Property(name)),
            Expr::Call(call) if call.target.is_none() => self.call(call),
            Expr::Call(call) => {
                let found = format!("`.{}(…)`", call.func_name);
                self.wrong(found, "a function of its arguments, such as `ln(x)`")
            }
            Expr::Select(select) => {
                let found = format!("`.{}`", select.field);
                self.wrong(found, "a name such as `flow`, or `at(\"position\", \"property\")`")
            }
            Expr::Unspecified
            | Expr::Comprehension(_)
            | Expr::List(_)
            | Expr::Map(_)
            | Expr::Struct(_) => self.wrong("what is no arithmetic", "names, numbers, `+ - * /`"),
        }
    }

    fn literal(&mut self, literal: &LiteralValue) -> Node {
        // Doubles all: CEL itself has no product of an integer and a double.
        let number = match literal {
            LiteralValue::Double(number) => *number.inner(),
            LiteralValue::Int(number) => *number.inner() as f64,
            LiteralValue::UInt(number) => *number.inner() as f64,
            LiteralValue::String(text) => {
                let found = format!("the text `{}`", text.inner());
                return self.wrong(found, "a number");
            }
            LiteralValue::Boolean(_) | LiteralValue::Bytes(_) | LiteralValue::Null => {
                return self.wrong("true, false, bytes or null", "a number");
            }
        };
        if !number.is_finite() {
            return self.wrong("a number that is not finite", "a finite number");
        }
        self.number(number, Some(Kind::Powers(Powers::NUMBER)))
    }

    /// Puts a number on the stack.
    fn number(&mut self, number: f64, kind: Option<Kind>) -> Node {
        self.push(Step::Number(number));
        Node { kind, number: Some(number) }
    }

    fn push(&mut self, step: Step) {
        self.steps.push(step);
        self.depth += 1;
        if self.depth == WAITING_MAX + 1 {
            let found = format!("more than {WAITING_MAX} numbers that wait to be used");
            self.wrong(found, "fewer brackets in brackets");
        }
    }

    fn input(&mut self, named: Named<'_>) -> Node {
        self.depth += 1;
        let (id, unit) = match (self.find)(named) {
            Ok(found) => found,
            Err(why) => {
                self.sound = false;
                self.wrongs.extend(why);
                return TOLD;
            }
        };
        let place = self.inputs.iter().position(|held| *held == id).unwrap_or_else(|| {
            self.inputs.push(id);
            self.inputs.len() - 1
        });
        if place == EXPRESSION_INPUTS_MAX {
            let expected = format!("at most {EXPRESSION_INPUTS_MAX}");
            self.wrong("one datastream more", expected);
        }
        self.depth -= 1;
        self.push(Step::Input(u8::try_from(place).unwrap_or(u8::MAX)));
        let Some(unit) = self.units.get(unit) else { return TOLD };
        let (kind, scale) = self.kind(unit);
        self.linear(unit.multiply * scale, unit.divide, unit.add * scale);
        Node { kind: Some(kind), number: None }
    }

    /// Gives of what a unit is, and what its dimension's own unit is in powers.
    fn kind(&self, unit: &Unit) -> (Kind, f64) {
        match self.units.base(&unit.dimension) {
            Some(Base { powers, scale }) => (Kind::Powers(powers), scale),
            None => (Kind::Own(unit.dimension.clone()), 1.0),
        }
    }

    #[expect(clippy::float_cmp, reason = "only what changes no bit may be left out")]
    fn linear(&mut self, multiply: f64, divide: f64, add: f64) {
        if multiply != divide || add != 0.0 {
            self.steps.push(Step::Linear { multiply, divide, add });
        }
    }

    /// Turns the number on the stack into one of a unit.
    fn convert_to(&mut self, unit: &Unit) {
        let (_, scale) = self.kind(unit);
        let add = -unit.add * unit.divide / unit.multiply;
        self.linear(unit.divide, unit.multiply * scale, add);
    }

    fn call(&mut self, call: &CallExpr) -> Node {
        let start = self.steps.len();
        let depth = self.depth;
        let node = self.called(call, start);
        // One number is left of it, whatever was wrong.
        self.depth = depth + 1;
        node
    }

    fn called(&mut self, call: &CallExpr, start: usize) -> Node {
        let name = call.func_name.as_str();
        let text = |place: usize| match call.args.get(place).map(|arg| &arg.expr) {
            Some(Expr::Literal(LiteralValue::String(text))) => Some(text.inner()),
            Some(_) | None => None,
        };
        match (name, call.args.as_slice()) {
            ("at", [_, _]) => match (text(0), text(1)) {
                (Some(position), Some(property)) => self.input(Named::At(position, property)),
                _ => self.wrong("`at` without two texts", "`at(\"L1\", \"voltage\")`"),
            },
            ("datastream", [_]) => match text(0) {
                Some(whole) => self.input(Named::Whole(whole)),
                None => self.wrong("`datastream` without a text", "`datastream(\"station/flow\")`"),
            },
            ("number" | "quantity", [part, _]) => {
                let node = self.node(&part.expr);
                let Some(unit) = text(1) else {
                    let expected = format!("`{name}(x, \"mg/L\")`");
                    return self.wrong(format!("`{name}` without a unit"), expected);
                };
                let node = self.cast(name == "number", unit, &node);
                self.folded(node, start)
            }
            (_, [part]) => {
                let Some(one) = one(name) else { return self.unknown(call) };
                let node = self.node(&part.expr);
                let kind = self.kind_of_one(one, name, &node);
                self.steps.push(Step::One(one));
                let number = node.number.map(|number| one.of(number));
                self.folded(Node { kind, number }, start)
            }
            (_, [left, right]) => {
                let Some(two) = two(name) else { return self.unknown(call) };
                let left = self.node(&left.expr);
                let right = self.node(&right.expr);
                let kind = self.kind_of_two(two, name, &left, &right);
                self.steps.push(Step::Two(two));
                let numbers = left.number.zip(right.number);
                let number = numbers.map(|(left, right)| two.of(left, right));
                self.folded(Node { kind, number }, start)
            }
            _ => self.unknown(call),
        }
    }

    fn unknown(&mut self, call: &CallExpr) -> Node {
        let of = call.args.len();
        let found = match symbol(&call.func_name) {
            Some(symbol) => format!("`{symbol}`"),
            None => format!("`{}` of {of}", call.func_name),
        };
        self.wrong(
            found,
            "`+ - * /`, `ln`, `log10`, `exp`, `sqrt` or `abs` of one, `pow`, `min` or `max` of \
             two, `number(x, \"unit\")`, `quantity(x, \"unit\")`, `at(\"position\", \
             \"property\")` or `datastream(\"name\")`",
        )
    }

    /// Works a part out that names no datastream.
    fn folded(&mut self, node: Node, start: usize) -> Node {
        let Some(number) = node.number else { return node };
        if !number.is_finite() {
            return self.wrong("a part that has no finite value", "a number in every part");
        }
        self.steps.truncate(start);
        self.steps.push(Step::Number(number));
        node
    }

    /// `number(x, "unit")` makes a plain number of a quantity, `quantity(x, "unit")` the other way.
    fn cast(&mut self, to_number: bool, unit: &str, node: &Node) -> Node {
        let Some(unit) = self.units.find(unit).and_then(|unit| self.units.get(unit)) else {
            return self.wrong(format!("`{unit}`"), "a unit of units.csv");
        };
        let (of_unit, scale) = self.kind(unit);
        let Some(kind) = &node.kind else { return TOLD };
        let is = Kind::Powers(Powers::NUMBER);
        if to_number {
            if *kind != of_unit {
                let found = format!("`number` of {} in `{}`", self.name(kind), unit.name);
                return self.wrong(found, format!("a unit of {}", self.name(kind)));
            }
            self.convert_to(unit);
            let add = -unit.add * unit.divide / unit.multiply;
            let convert = |number: f64| number * unit.divide / (unit.multiply * scale) + add;
            return Node { kind: Some(is), number: node.number.map(convert) };
        }
        if *kind != is {
            let found = format!("`quantity` of {}", self.name(kind));
            return self.wrong(found, "a plain number");
        }
        let (multiply, divide, add) = (unit.multiply * scale, unit.divide, unit.add * scale);
        self.linear(multiply, divide, add);
        let convert = |number: f64| number * multiply / divide + add;
        Node { kind: Some(of_unit), number: node.number.map(convert) }
    }

    fn kind_of_one(&mut self, one: One, name: &str, node: &Node) -> Option<Kind> {
        let kind = node.kind.clone()?;
        let fits = match (one, &kind) {
            (One::Negative | One::Abs, Kind::Powers(_)) => return Some(kind),
            (One::Sqrt, Kind::Powers(powers)) => powers.root().map(Kind::Powers),
            (One::Ln | One::Log10 | One::Exp, Kind::Powers(powers)) => {
                (*powers == Powers::NUMBER).then_some(kind.clone())
            }
            (_, Kind::Own(_)) => None,
        };
        if fits.is_none() {
            let word = if one == One::Negative { "-" } else { name };
            let found = format!("`{word}` of {}", self.name(&kind));
            self.wrong(found, "a plain number: `number(x, \"unit\")` makes one");
        }
        fits
    }

    fn kind_of_two(&mut self, two: Two, name: &str, left: &Node, right: &Node) -> Option<Kind> {
        if two == Two::Divide && right.number == Some(0.0) {
            self.wrong("a division by zero", "a number other than zero");
            return None;
        }
        let (left, right) = (left.kind.clone()?, right.kind.clone()?);
        let fits = match (two, &left, &right) {
            (Two::Multiply, Kind::Powers(left), Kind::Powers(right)) => {
                left.times(*right).map(Kind::Powers)
            }
            (Two::Divide, Kind::Powers(left), Kind::Powers(right)) => {
                left.over(*right).map(Kind::Powers)
            }
            (Two::Power, Kind::Powers(Powers::NUMBER), Kind::Powers(Powers::NUMBER)) => {
                Some(left.clone())
            }
            (Two::Add | Two::Subtract, Kind::Powers(_), Kind::Powers(_))
            | (Two::Min | Two::Max, ..)
                if left == right =>
            {
                Some(left.clone())
            }
            _ => None,
        };
        if fits.is_none() {
            let word = symbol(name).unwrap_or(name);
            let found = format!("{} `{word}` {}", self.name(&left), self.name(&right));
            let expected = match two {
                Two::Add | Two::Subtract | Two::Min | Two::Max if left != right => {
                    "two of one dimension; `number(x, \"unit\")` makes a plain number of one"
                }
                Two::Power => "plain numbers: `number(x, \"unit\")` makes one",
                Two::Add | Two::Subtract | Two::Multiply | Two::Divide | Two::Min | Two::Max => {
                    "dimensions with a `base` in units.csv; `number(x, \"unit\")` makes a plain \
                     number of one without"
                }
            };
            self.wrong(found, expected);
        }
        fits
    }

    /// Turns what is left into the result, and says what is wrong with it.
    fn finish(&mut self, node: &Node, result: UnitIndex) {
        let (Some(kind), Some(unit)) = (&node.kind, self.units.get(result)) else {
            self.sound = false;
            return;
        };
        if node.number.is_some() {
            self.wrong("an expression of numbers only", "the name of a datastream at least");
        }
        let (want, _) = self.kind(unit);
        if *kind == want {
            self.convert_to(unit);
            return;
        }
        let mut expected = format!("a result in `{}` ({})", unit.name, self.name(&want));
        if *kind == Kind::Powers(Powers::NUMBER) {
            expected.push_str(&format!("; `quantity(x, \"{}\")` says that it is one", unit.name));
        }
        self.wrong(format!("an expression that gives {}", self.name(kind)), expected);
    }

    /// Names what a part is of, in the words of units.csv where it has some.
    fn name(&self, kind: &Kind) -> String {
        match kind {
            Kind::Own(dimension) => dimension.to_string(),
            Kind::Powers(Powers::NUMBER) => Powers::NUMBER.to_string(),
            Kind::Powers(powers) => match self.units.dimensions(*powers).next() {
                Some(dimension) => dimension.to_owned(),
                None => powers.to_string(),
            },
        }
    }
}

fn one(name: &str) -> Option<One> {
    Some(match name {
        operators::NEGATE => One::Negative,
        "ln" => One::Ln,
        "log10" => One::Log10,
        "exp" => One::Exp,
        "sqrt" => One::Sqrt,
        "abs" => One::Abs,
        _ => return None,
    })
}

fn two(name: &str) -> Option<Two> {
    Some(match name {
        operators::ADD => Two::Add,
        operators::SUBSTRACT => Two::Subtract,
        operators::MULTIPLY => Two::Multiply,
        operators::DIVIDE => Two::Divide,
        "pow" => Two::Power,
        "min" => Two::Min,
        "max" => Two::Max,
        _ => return None,
    })
}

/// Gives the sign of an operator, which the crate calls `_+_`.
fn symbol(name: &str) -> Option<&str> {
    name.strip_prefix('_')?.strip_suffix('_').filter(|symbol| !symbol.is_empty())
}

#[cfg(test)]
mod tests;
