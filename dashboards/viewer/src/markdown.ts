// The part of Markdown that dashboards use: headings, paragraphs, lists, code, emphasis, links. It becomes a tree of
// plain nodes, never HTML text, so that nothing in a dashboard file can run in the page.

export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong" | "em"; children: Inline[] }
  | { kind: "link"; url: string; children: Inline[] };

export type Block =
  | { kind: "heading"; level: number; children: Inline[] }
  | { kind: "paragraph"; children: Inline[] }
  | { kind: "list"; ordered: boolean; items: Inline[][] }
  | { kind: "code"; text: string }
  | { kind: "rule" };

const inlinePattern = /`([^`]+)`|\*\*(.+?)\*\*|__(.+?)__|\*([^*\s][^*]*)\*|_([^_\s][^_]*)_|\[([^\]]*)\]\(([^)\s]+)\)/;

export function parseInline(text: string): Inline[] {
  const found: Inline[] = [];
  let rest = text;
  while (rest) {
    const match = inlinePattern.exec(rest);
    if (!match) break;
    if (match.index > 0) found.push({ kind: "text", text: rest.slice(0, match.index) });
    const [whole, code, strongStar, strongLine, emStar, emLine, linkText, url] = match;
    const strong = strongStar ?? strongLine;
    const em = emStar ?? emLine;
    if (code !== undefined) found.push({ kind: "code", text: code });
    else if (strong !== undefined) found.push({ kind: "strong", children: parseInline(strong) });
    else if (em !== undefined) found.push({ kind: "em", children: parseInline(em) });
    else found.push({ kind: "link", url: url!, children: parseInline(linkText!) });
    rest = rest.slice(match.index + whole.length);
  }
  if (rest) found.push({ kind: "text", text: rest });
  return found;
}

const listItem = /^\s*(?:[-*+]|(\d+)[.)])\s+(.*)$/;
const blockStart = /^(#{1,6}\s|```|\s*(?:[-*+]|\d+[.)])\s|\s*(?:-{3,}|\*{3,})\s*$)/;

export function parseMarkdown(source: string): Block[] {
  const lines = source.replace(/\r\n?/g, "\n").split("\n");
  const blocks: Block[] = [];
  let at = 0;
  const takeWhile = (keep: (line: string) => boolean): string[] => {
    const start = at;
    while (at < lines.length && keep(lines[at]!)) at++;
    return lines.slice(start, at);
  };
  while (at < lines.length) {
    const line = lines[at]!;
    const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (line.trim() === "") {
      at++;
    } else if (line.startsWith("```")) {
      at++;
      blocks.push({ kind: "code", text: takeWhile((l) => !l.startsWith("```")).join("\n") });
      at++;
    } else if (heading) {
      at++;
      blocks.push({ kind: "heading", level: heading[1]!.length, children: parseInline(heading[2]!) });
    } else if (/^\s*(-{3,}|\*{3,})\s*$/.test(line)) {
      at++;
      blocks.push({ kind: "rule" });
    } else if (listItem.test(line)) {
      const ordered = listItem.exec(line)![1] !== undefined;
      const items = takeWhile((l) => listItem.test(l)).map((l) => parseInline(listItem.exec(l)![2]!));
      blocks.push({ kind: "list", ordered, items });
    } else {
      const first = at++;
      takeWhile((l) => l.trim() !== "" && !blockStart.test(l));
      blocks.push({ kind: "paragraph", children: parseInline(lines.slice(first, at).map((l) => l.trim()).join(" ")) });
    }
  }
  return blocks;
}
