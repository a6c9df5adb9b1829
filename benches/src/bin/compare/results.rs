//! What came out, and how it is told.

use crate::measure::Sample;
use crate::scenarios::Scenario;
use crate::servers::{FLOOR, Server};

const INSTRUCTIONS: &str = "instructions";

/// The columns with numbers.
const COLUMNS: [&str; 10] = [
    "CPU µs",
    "÷ floor",
    "(range)",
    "requests/s",
    "p50 µs",
    "p99 µs",
    "peak MiB",
    "calls",
    INSTRUCTIONS,
    "never served",
];

/// One server in one scenario.
pub(crate) struct Row {
    pub(crate) server: &'static Server,
    /// One for each round.
    pub(crate) samples: Vec<Sample>,
    /// System calls for each answer.
    pub(crate) calls: Option<f64>,
    /// User-mode instructions for each answer.
    pub(crate) instructions: Option<f64>,
    /// Why there is nothing.
    pub(crate) problem: Option<String>,
}

/// All servers in one scenario.
pub(crate) struct Results {
    pub(crate) scenario: &'static Scenario,
    pub(crate) rows: Vec<Row>,
}

impl Row {
    pub(crate) fn new(server: &'static Server) -> Row {
        Row {
            server,
            samples: Vec::new(),
            calls: None,
            instructions: None,
            problem: None,
        }
    }

    /// The median over the rounds, of what `value` takes from a sample.
    fn median(&self, value: impl Fn(&Sample) -> f64) -> f64 {
        let values = self.samples.iter().map(value).collect();
        sorted(values).map_or(f64::NAN, |values| middle(&values))
    }

    /// The processor time for each answer in times of that of `other` in the same round: the least,
    /// the median and the most.
    fn ratios(&self, other: &Row) -> Option<[f64; 3]> {
        let rounds = self.samples.iter().zip(&other.samples);
        let values = sorted(rounds.map(|(mine, other)| mine.cpu / other.cpu).collect())?;
        Some([*values.first()?, middle(&values), *values.last()?])
    }

    /// Whether its failure is one of this project, and not of what is installed.
    pub(crate) fn is_ours(&self) -> bool {
        self.server.is_ours()
    }

    fn was_answered(&self) -> bool {
        self.samples.iter().any(|sample| sample.answers > 0)
    }

    fn notes(&self) -> String {
        let mut failures = Vec::new();
        for sample in &self.samples {
            if sample.failures.total() > 0 {
                failures.push(sample.failures.to_string());
            }
        }
        match failures.first() {
            Some(first) => format!(
                "{first} ({} of {} rounds)",
                failures.len(),
                self.samples.len()
            ),
            None => String::new(),
        }
    }
}

/// The numbers among `values` in order; `None` if there is none.
fn sorted(mut values: Vec<f64>) -> Option<Vec<f64>> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then_some(values)
}

/// The median of values in order.
fn middle(values: &[f64]) -> f64 {
    let half = values.len() / 2;
    if values.len() % 2 == 1 {
        values[half]
    } else {
        f64::midpoint(values[half - 1], values[half])
    }
}

impl Results {
    fn row(&self, server: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.server.name == server)
    }

    /// The processor time of one server in times of another's: the median of the rounds.
    pub(crate) fn ratio(&self, server: &str, other: &str) -> Option<f64> {
        let [_, median, _] = self.row(server)?.ratios(self.row(other)?)?;
        Some(median)
    }

    /// The results as a table in Markdown.
    pub(crate) fn table(&self) -> String {
        let counted = self.rows.iter().any(|row| row.instructions.is_some());
        let mut columns: Vec<&str> = COLUMNS.to_vec();
        if !counted {
            columns.retain(|column| *column != INSTRUCTIONS);
        }
        let title = format!("`{}`", self.scenario.name);
        let mut text = format!("### {}\n\n", capital(self.scenario.title));
        text += &line(&[&[title.as_str()], &columns[..], &["failures"]].concat());
        // Numbers stand to the right.
        text += &line(&[&["---"], &vec!["--:"; columns.len()][..], &["---"]].concat());
        for row in &self.rows {
            let name = row.server.name;
            text += &match &row.problem {
                Some(problem) => {
                    line(&[&[name], &vec![""; columns.len()][..], &[problem]].concat())
                }
                None => line(&self.cells(row, counted)),
            };
        }
        text
    }

    fn cells(&self, row: &Row, counted: bool) -> Vec<String> {
        let number = |value: f64, digits: usize| {
            if value.is_finite() && row.was_answered() {
                format!("{value:.digits$}")
            } else {
                "none".to_owned()
            }
        };
        let optional = |value: Option<f64>, digits: usize| {
            value.map_or_else(String::new, |value| format!("{value:.digits$}"))
        };
        let ratios = self.row(FLOOR).and_then(|floor| row.ratios(floor));
        let range = ratios.map_or_else(String::new, |[least, _, most]| {
            format!("{least:.2}–{most:.2}")
        });
        let peak = row
            .samples
            .iter()
            .map(|sample| sample.peak)
            .fold(0.0, f64::max);
        let never_served = row.samples.iter().map(|sample| sample.never_served).max();
        let mut cells = vec![
            row.server.name.to_owned(),
            number(row.median(|sample| sample.cpu), 2),
            optional(ratios.map(|[_, median, _]| median), 2),
            range,
            number(row.median(|sample| sample.per_second), 0),
            number(row.median(|sample| sample.p50), 0),
            number(row.median(|sample| sample.p99), 0),
            number(peak, 1),
            optional(row.calls, 2),
        ];
        if counted {
            cells.push(optional(row.instructions, 0));
        }
        cells.push(match never_served {
            None | Some(0) => "0".to_owned(),
            Some(starved) => format!("{starved} of {}", self.scenario.connections),
        });
        cells.push(row.notes());
        cells
    }
}

/// One line of a table.
fn line<C: AsRef<str>>(cells: &[C]) -> String {
    let mut text = String::from("|");
    for cell in cells {
        text = text + " " + cell.as_ref() + " |";
    }
    text + "\n"
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios;
    use crate::servers;
    use fcgi_tools::load::Failures;

    fn sample(cpu: f64) -> Sample {
        Sample {
            answers: 10,
            cpu,
            per_second: 1000.0,
            p50: 1.0,
            p99: 2.0,
            peak: 3.5,
            never_served: 0,
            failures: Failures::default(),
        }
    }

    fn row(server: &'static Server, cpus: &[f64]) -> Row {
        Row {
            samples: cpus.iter().copied().map(sample).collect(),
            ..Row::new(server)
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let results = Results {
            scenario: &scenarios::ALL[0],
            rows: vec![
                row(&servers::ALL[0], &[1.0, 2.0, 4.0]),
                row(&servers::ALL[1], &[2.0, 3.0, 4.0]),
                row(&servers::ALL[2], &[5.0, f64::NAN, 6.0]),
            ],
        };
        // 2.0, 1.5 and 1.0; and 5.0 and 1.5 without the round in which nothing was answered.
        assert_eq!(results.ratio("fcgi-mio", FLOOR), Some(1.5));
        assert_eq!(results.ratio("fcgi-std", FLOOR), Some(3.25));
        assert_eq!(results.ratio("go", FLOOR), None);
        let table = results.table();
        let line = table
            .lines()
            .find(|line| line.starts_with("| fcgi-mio"))
            .unwrap();
        assert!(line.starts_with("| fcgi-mio | 3.00 | 1.50 | 1.00–2.00 | 1000 | 1 | 2 | 3.5 |"));
    }

    #[test]
    fn every_line_of_a_table_has_the_same_columns() {
        let mut missing = Row::new(&servers::ALL[1]);
        missing.problem = Some("not installed".to_owned());
        let mut starved = row(&servers::ALL[2], &[f64::NAN]);
        starved.samples[0].answers = 0;
        starved.samples[0].never_served = 1;
        for instructions in [None, Some(2000.0)] {
            let mut floor = row(&servers::ALL[0], &[1.0]);
            floor.instructions = instructions;
            let mut rows = vec![floor];
            rows.extend([&missing, &starved].map(|row| Row {
                samples: row.samples.clone(),
                problem: row.problem.clone(),
                ..Row::new(row.server)
            }));
            let results = Results {
                scenario: &scenarios::ALL[0],
                rows,
            };
            let table = results.table();
            let columns = |line: &str| line.matches('|').count();
            let counts: Vec<_> = table.lines().skip(2).map(columns).collect();
            assert_eq!(counts.len(), 5);
            assert!(counts.iter().all(|count| *count == counts[0]), "{table}");
        }
    }
}
