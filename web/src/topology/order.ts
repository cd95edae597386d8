/** The order in which boxes stand at first, so that few lines cross; dagre is loaded for it. */

import { COLUMNS, type Graph } from "./graph";

/** The items' ids from top to bottom, as dagre would stand them. */
export async function orderOf(graph: Graph): Promise<string[]> {
  const { default: dagre } = await import("@dagrejs/dagre");
  const layout = new dagre.graphlib.Graph();
  layout.setGraph({ rankdir: "LR", nodesep: 10, ranksep: 80 });
  layout.setDefaultEdgeLabel(() => ({}));
  for (const { id, column } of graph.items)
    layout.setNode(id, { width: 200, height: 40, rank: COLUMNS.indexOf(column) });
  for (const { from, to } of graph.lines) layout.setEdge(from, to);
  dagre.layout(layout);
  const y = (id: string) => (layout.node(id) as { y: number }).y;
  return graph.items.map(({ id }) => id).sort((a, b) => y(a) - y(b));
}
