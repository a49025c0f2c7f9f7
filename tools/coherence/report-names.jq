# A region with names for its addresses: $names[0] are symbols and offsets,
# $places[0] are [function, file and line, the line's text].

# x86-64 with four levels of page tables, and no randomised addresses.
def kind:
  if length < 18 then "user space"
  elif startswith("0xffff8") and . < "0xffffc88000000000" then "direct map (slab, page or per-CPU area)"
  elif . >= "0xffffc90000000000" and . < "0xffffe90000000000" then "vmalloc (stack, percpu chunk)"
  elif . >= "0xffffea0000000000" and . < "0xffffeb0000000000" then "struct page"
  elif startswith("0xfffffe") then "CPU entry area"
  elif startswith("0xffffffff8") or startswith("0xffffffff9") then "kernel image"
  elif startswith("0xffffffff") then "module, or fixed map"
  else "unknown" end;

def name: $names[0][.] // [] | .[0];

def code:
  ($places[0][.pc] // []) as $place
  | . + {symbol: (.pc | name), function: $place[0], place: $place[1], source: $place[2], kind: (.pc | kind)};

.pcs |= map(code)
| .lines |= map(
    . + {kind: (.vaddr | kind)}
    | .pcs |= map(code + {offset: .vaddr, data: (.vaddr | name)})
    # What its instructions name, for a line may begin in another symbol.
    | .symbols = ([.pcs[].data | values | sub("\\+0x0$"; "")] | unique)
  )
