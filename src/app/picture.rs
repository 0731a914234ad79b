//! A topology as a drawing of characters, for people.
//!
//! ```text
//!   ╭──────────────╮
//!   │ spout words  ├──────────────╮
//!   │ → (word)     │              │
//!   ╰──┬───────────╯              │
//!      │ shuffle                  │
//!   ╭──▼───────────╮              │
//!   │ bolt count   ◀─ fields(word)╯
//!   ╰──────────────╯
//! ```
//!
//! Components stand below each other in flow order. An edge to the next one goes straight down, every
//! other runs in a lane on the right and ends in an arrow that says its grouping.
//!
//! **Invariants.** Pure. No line is wider than was asked for, as long as that leaves room for the
//! lanes and a few letters; what does not fit is cut and ends in `…`.

use std::collections::BTreeSet;

use crate::builtin::{FLUX_SHELL_BOLT, FLUX_SHELL_SPOUT};
use crate::id::ComponentId;
use crate::topology::{Component, Grouping, Input, Named, Role, Topology};

/// Column of a box in which the line to the next one begins.
const STEM: usize = 3;

/// Fewest characters of text in a box and on an edge, whatever the width.
const LEAST_TEXT: usize = 8;

/// Characters between two lanes, their own included.
const LANE: usize = 2;

/// Directions in which a line leaves a cell.
const UP: u8 = 1;
const DOWN: u8 = 2;
const LEFT: u8 = 4;
const RIGHT: u8 = 8;

/// What is drawn.
#[derive(Debug)]
pub(super) struct Picture {
    title: String,
    /// In flow order: the lines of each box.
    boxes: Vec<Vec<String>>,
    edges: Vec<Edge>,
}

/// A stream, or several of the same two components.
#[derive(Debug)]
struct Edge {
    from: usize,
    to: usize,
    label: String,
}

impl Picture {
    /// The picture of a topology, its ackers left out.
    pub fn of(name: &str, topology: &Topology) -> Self {
        let order = in_flow_order(topology);
        let at = |id: &ComponentId| order.iter().position(|one| one.id == *id);
        let mut edges: Vec<Edge> = Vec::new();
        for (to, component) in order.iter().enumerate() {
            for input in &component.inputs {
                let Some(from) = at(&input.from) else { continue };
                let text = label(input);
                match edges.iter_mut().find(|edge| edge.from == from && edge.to == to) {
                    Some(edge) => edge.label = format!("{}, {text}", edge.label),
                    None => edges.push(Edge { from, to, label: text }),
                }
            }
        }
        let boxes = order.iter().map(|component| lines(component)).collect();
        Self { title: title(name, &order), boxes, edges }
    }

    /// The drawing, `width` characters wide at most.
    pub fn draw(&self, width: usize) -> String {
        let layout = Layout::of(self, width);
        let mut canvas = Canvas::default();
        for (index, lines) in self.boxes.iter().enumerate() {
            self.draw_box(&layout, index, lines, &mut canvas);
        }
        for lane in &layout.lanes {
            draw_lane(&layout, lane, &self.edges[lane.edge].label, &mut canvas);
        }
        format!("{}\n\n{}", cut(&self.title, width), canvas.text())
    }

    fn draw_box(&self, layout: &Layout, index: usize, lines: &[String], canvas: &mut Canvas) {
        let (top, bottom, right) = (layout.tops[index], layout.bottom(index), layout.box_width - 1);
        for column in 0..=right {
            let edges = if column == 0 {
                RIGHT
            } else if column == right {
                LEFT
            } else {
                LEFT | RIGHT
            };
            let (above, below) = if column == 0 || column == right { (DOWN, UP) } else { (0, 0) };
            canvas.line(top, column, edges | above);
            canvas.line(bottom, column, edges | below);
        }
        for row in top + 1..bottom {
            canvas.line(row, 0, UP | DOWN);
            canvas.line(row, right, UP | DOWN);
        }
        for (row, line) in (top + 1..).zip(lines) {
            canvas.write(row, 2, &cut(line, layout.box_width - 4));
        }
        let down = self.edges.iter().find(|edge| edge.from == index && edge.to == index + 1);
        if let Some(edge) = down {
            canvas.line(bottom, STEM, DOWN);
            canvas.line(bottom + 1, STEM, UP | DOWN);
            canvas.write(bottom + 1, STEM + 2, &cut(&edge.label, layout.label_end - STEM - 3));
            canvas.write(bottom + 2, STEM, "▼");
        }
    }
}

/// Where everything stands.
struct Layout {
    box_width: usize,
    /// First row of each box.
    tops: Vec<usize>,
    /// Rows of each box between its borders.
    heights: Vec<usize>,
    /// First column behind the texts of edges.
    label_end: usize,
    lanes: Vec<Lane>,
}

/// The way of an edge that does not go straight down.
struct Lane {
    edge: usize,
    /// Rows in which it leaves and enters.
    from: usize,
    to: usize,
    /// Its place from the left.
    index: usize,
}

impl Layout {
    fn of(picture: &Picture, width: usize) -> Self {
        let around = |edge: &&Edge| edge.to != edge.from + 1;
        // A port is a row of a box where a lane leaves or enters it; the ones that enter come first.
        let ports = |index: usize| {
            let edges = picture.edges.iter().filter(around);
            edges.map(|edge| usize::from(edge.from == index) + usize::from(edge.to == index)).sum()
        };
        let heights: Vec<usize> = picture
            .boxes
            .iter()
            .enumerate()
            .map(|(index, lines)| lines.len().max(ports(index)))
            .collect();
        // Two borders, and the row of the edge to the next box.
        let tops = heights.iter().scan(0, |next, height| {
            let top = *next;
            *next += height + 3;
            Some(top)
        });
        let tops: Vec<usize> = tops.collect();
        let lanes = lanes(&picture.edges, &tops, &heights);

        let lanes_width =
            lanes.iter().map(|lane| lane.index + 1).max().map_or(0, |lanes| lanes * LANE);
        let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
        let text = longest(&mut picture.boxes.iter().flatten().map(|line| length(line)));
        let label = longest(&mut lanes.iter().map(|lane| length(&picture.edges[lane.edge].label)));
        // The arrow, a line and a blank before the text, and a blank behind it.
        let beside = if lanes.is_empty() { 0 } else { 4 + lanes_width };
        let room = width.saturating_sub(4 + beside);
        // Boxes get what they want, as long as edges keep half of it.
        let kept = label.min(room / 2);
        let text = text.min(room.saturating_sub(kept)).max(LEAST_TEXT);
        let label =
            label.min(room.saturating_sub(text)).max(if lanes.is_empty() { 0 } else { LEAST_TEXT });
        let box_width = text + 4;
        let label_end = if lanes.is_empty() { width.max(box_width) } else { box_width + label + 4 };
        Self { box_width, tops, heights, label_end, lanes }
    }

    /// Last row of a box.
    fn bottom(&self, index: usize) -> usize {
        self.tops[index] + self.heights[index] + 1
    }

    fn column(&self, lane: &Lane) -> usize {
        self.label_end + lane.index * LANE
    }
}

/// The lanes of all edges that do not go straight down, short ones on the left.
fn lanes(edges: &[Edge], tops: &[usize], heights: &[usize]) -> Vec<Lane> {
    let mut used = vec![0; heights.len()];
    let mut port = |index: usize| {
        used[index] += 1;
        tops[index] + used[index]
    };
    let around = || edges.iter().enumerate().filter(|(_, edge)| edge.to != edge.from + 1);
    let mut rows: Vec<(usize, usize, usize)> =
        around().map(|(index, edge)| (index, 0, port(edge.to))).collect();
    for row in &mut rows {
        row.1 = port(edges[row.0].from);
    }
    let span = |from: usize, to: usize| (from.min(to), from.max(to));
    rows.sort_by_key(|&(_, from, to)| from.abs_diff(to));
    let mut lanes: Vec<Lane> = Vec::new();
    for (edge, from, to) in rows {
        let (top, bottom) = span(from, to);
        let is_free = |index: usize| {
            let others = lanes.iter().filter(|lane| lane.index == index);
            others
                .map(|lane| span(lane.from, lane.to))
                .all(|(above, below)| bottom < above || below < top)
        };
        let index =
            (0..).find(|index| is_free(*index)).expect("one is free at the latest behind all");
        lanes.push(Lane { edge, from, to, index });
    }
    lanes
}

fn draw_lane(layout: &Layout, lane: &Lane, label: &str, canvas: &mut Canvas) {
    let (border, column) = (layout.box_width - 1, layout.column(lane));
    let (top, bottom) = (lane.from.min(lane.to), lane.from.max(lane.to));
    for row in [lane.from, lane.to] {
        canvas.line(row, border, RIGHT);
        for between in border + 1..column {
            canvas.line(row, between, LEFT | RIGHT);
        }
        canvas.line(row, column, LEFT);
    }
    for row in top..bottom {
        canvas.line(row, column, DOWN);
        canvas.line(row + 1, column, UP);
    }
    canvas.write(lane.to, border, "◀");
    let room = layout.label_end - border - 4;
    canvas.write(lane.to, border + 2, &format!(" {} ", cut(label, room)));
}

/// Rows of cells, each with the lines that meet in it or a letter.
#[derive(Default)]
struct Canvas(Vec<Vec<Cell>>);

#[derive(Clone, Copy, Default)]
struct Cell {
    lines: u8,
    letter: Option<char>,
}

impl Canvas {
    fn cell(&mut self, row: usize, column: usize) -> &mut Cell {
        if self.0.len() <= row {
            self.0.resize_with(row + 1, Vec::new);
        }
        let cells = &mut self.0[row];
        if cells.len() <= column {
            cells.resize(column + 1, Cell::default());
        }
        &mut cells[column]
    }

    fn line(&mut self, row: usize, column: usize, directions: u8) {
        self.cell(row, column).lines |= directions;
    }

    fn write(&mut self, row: usize, column: usize, text: &str) {
        for (at, letter) in (column..).zip(text.chars()) {
            self.cell(row, at).letter = Some(letter);
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for row in &self.0 {
            let line: String = row.iter().map(Cell::letter).collect();
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

impl Cell {
    fn letter(&self) -> char {
        /// By the directions in which lines leave: up 1, down 2, left 4, right 8.
        const LINES: [char; 16] =
            [' ', '│', '│', '│', '─', '╯', '╮', '┤', '─', '╰', '╭', '├', '─', '┴', '┬', '┼'];
        self.letter.unwrap_or(LINES[usize::from(self.lines)])
    }
}

/// The author's components, each behind those that it takes tuples from, where that is possible, and
/// right behind one of them, where that is.
fn in_flow_order(topology: &Topology) -> Vec<&Component> {
    let depths = topology.depths();
    let mut left: Vec<&Component> = topology.components().values().collect();
    left.retain(|component| !matches!(component.role, Role::Acker));
    left.sort_by_key(|component| depths[&component.id]);
    let mut placed = BTreeSet::new();
    let mut order: Vec<&Component> = Vec::new();
    while !left.is_empty() {
        let is_ready = |component: &Component| {
            component
                .inputs
                .iter()
                .all(|input| placed.contains(&input.from) || input.from == component.id)
        };
        let follows = |component: &Component| {
            let last = order.last();
            last.is_some_and(|last| component.inputs.iter().any(|input| input.from == last.id))
        };
        let ready = || left.iter().enumerate().filter(|(_, component)| is_ready(component));
        let next = ready().find(|(_, component)| follows(component)).or_else(|| ready().next());
        // In a cycle nobody is ready: the one nearest to a spout goes first.
        let component = left.remove(next.map_or(0, |(index, _)| index));
        placed.insert(component.id.clone());
        order.push(component);
    }
    order
}

fn title(name: &str, components: &[&Component]) -> String {
    let spouts = components.iter().filter(|one| matches!(one.role, Role::Spout(_))).count();
    let executors: usize = components.iter().map(|one| one.executors).sum();
    let tasks: usize = components.iter().map(|one| one.tasks).sum();
    let bolts = components.len() - spouts;
    let many =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!(
        "{name}: {}, {}, {}, {}",
        many(spouts, "spout"),
        many(bolts, "bolt"),
        many(executors, "executor"),
        many(tasks, "task")
    )
}

/// The lines of a component's box.
fn lines(component: &Component) -> Vec<String> {
    let Component { id, executors, tasks, .. } = component;
    let role = super::describe::role(&component.role);
    let several = match (executors, tasks) {
        (1, 1) => String::new(),
        (executors, tasks) if executors == tasks => format!(" ×{executors}"),
        (executors, tasks) => format!(" ×{executors}, {tasks} tasks"),
    };
    let mut lines = vec![format!("{role} {id}{several}")];
    lines.extend(component.named.as_ref().map(kind));
    lines.extend(component.outputs.iter().map(|output| {
        let fields: Vec<&str> = output.fields.iter().collect();
        let direct = if output.direct { " direct" } else { "" };
        match output.stream.as_str() {
            "default" => format!("→ ({}){direct}", fields.join(", ")),
            stream => format!("→ {stream} ({}){direct}", fields.join(", ")),
        }
    }));
    lines
}

/// What a component is: its class without the folder, or the command that it runs.
fn kind(named: &Named) -> String {
    let command = named.args["command"].as_array();
    match command.filter(|_| [FLUX_SHELL_SPOUT, FLUX_SHELL_BOLT].contains(&named.name.as_str())) {
        Some(words) => {
            let words: Vec<&str> = words.iter().filter_map(|word| word.as_str()).collect();
            format!("$ {}", words.join(" "))
        }
        None => named.name.rsplit('.').next().unwrap_or_default().to_owned(),
    }
}

/// The words on an edge: its stream, unless it is the default one, and its grouping.
fn label(input: &Input) -> String {
    let fields = |fields: &crate::tuple::Fields| fields.iter().collect::<Vec<_>>().join(", ");
    let grouping = match &input.grouping {
        Grouping::Fields(by) => format!("fields({})", fields(by)),
        Grouping::PartialKey(by) => format!("partial-key({})", fields(by)),
        other => format!("{other:?}"),
    };
    match input.stream.as_str() {
        "default" => grouping,
        stream => format!("{stream}: {grouping}"),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The text, or as much of it as there is room for.
fn cut(text: &str, room: usize) -> String {
    match length(text) {
        length if length > room => {
            let kept = text.chars().take(room.saturating_sub(1));
            kept.chain(['…']).take(room).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::conf::Conf;
    use crate::flux::{Flux, FluxOptions};
    use crate::text_cases;

    fn drawn(lines: &[&str]) -> String {
        let [width, yaml @ ..] = lines else { panic!("a case says a width") };
        let width = width.strip_prefix("width ").and_then(|width| width.parse().ok());
        let text = yaml.join("\n");
        let flux = Flux::parse(Path::new("t.yaml"), text, &FluxOptions::default());
        let flux = flux.unwrap_or_else(|errors| panic!("{errors}"));
        let topology = flux.build(&crate::builtin::register(), &Conf::new());
        let topology = topology.unwrap_or_else(|errors| panic!("{errors}"));
        let width = width.expect("a width is a number");
        let text = Picture::of(flux.name(), &topology).draw(width);
        for line in text.lines() {
            assert!(length(line) <= width, "{line}");
        }
        // A blank line would end the case.
        text.replace("\n\n", "\n.\n")
    }

    #[test]
    fn topologies_are_drawn_as_the_cases_show() {
        text_cases::check("pictures.txt", include_str!("../../tests/data/pictures.txt"), drawn);
    }
}
