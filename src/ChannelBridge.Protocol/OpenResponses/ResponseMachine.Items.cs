using System.Text;
using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <content>The item that is open.</content>
public sealed partial class ResponseMachine
{
    private enum ItemKind
    {
        Message,
        Reasoning,
        Call,
        CallOutput,
    }

    private enum PartKind
    {
        None,
        Text,
        Refusal,
        Summary,
        Reasoning,
        Arguments,
    }

    private sealed class OpenItem(ItemKind kind, string id, int index)
    {
        public ItemKind Kind { get; } = kind;

        public string Id { get; } = id;

        public int Index { get; } = index;

        public string CallId { get; init; } = "";

        public string Name { get; init; } = "";

        public string? Namespace { get; init; }

        public bool IsCustom { get; init; }

        public JsonElement? Extra { get; init; }

        /// <summary>The sealed form of a reasoning, or null.</summary>
        public string? Sealed { get; set; }

        public PartKind Part { get; set; }

        public int PartIndex { get; set; }

        /// <summary>The text of the open part, the arguments or the output.</summary>
        public StringBuilder Text { get; } = new();

        /// <summary>A high surrogate that waits for its other half, or zero.</summary>
        public char Carry { get; set; }

        /// <summary>True when the part's text was sent as a whole already.</summary>
        public bool IsTextDone { get; set; }

        public List<ContentPart> Content { get; } = [];

        public List<ContentPart> Summary { get; } = [];

        public List<JsonElement> Annotations { get; } = [];

        /// <summary>The delta with what waited before it and without what must wait, single surrogates replaced.</summary>
        public string MakeSound(ReadOnlySpan<char> delta)
        {
            var sound = new StringBuilder(delta.Length + 1);
            if (Carry != '\0') sound.Append(Carry);
            sound.Append(delta);
            Carry = '\0';
            if (char.IsHighSurrogate(sound[^1]))
            {
                Carry = sound[^1];
                sound.Length--;
            }

            for (var i = 0; i < sound.Length; i++)
            {
                if (!char.IsSurrogate(sound[i])) continue;
                if (char.IsHighSurrogate(sound[i]) && i + 1 < sound.Length && char.IsLowSurrogate(sound[i + 1])) i++;
                else sound[i] = '\uFFFD';
            }

            return sound.ToString();
        }

        public ContentPart DescribePart() => Part switch
        {
            PartKind.Refusal => new RefusalPart(Text.ToString()),
            PartKind.Summary => new SummaryTextPart(Text.ToString()),
            PartKind.Reasoning => new ReasoningTextPart(Text.ToString()),
            _ => new OutputTextPart(Text.ToString(), [.. Annotations]),
        };

        public ResponseItem Describe(string status, string? phase, bool done) => Kind switch
        {
            ItemKind.Message => new MessageItem("assistant", [.. Content]) { Id = Id, Status = status, Phase = phase },
            ItemKind.Reasoning => new ReasoningItem([.. Summary], Content.Count > 0 ? [.. Content] : null, Sealed)
            {
                Id = Id,
                Status = status,
            },
            ItemKind.Call => new FunctionCallItem(CallId, Name, done ? Text.ToString() : "")
            {
                Id = Id,
                Status = status,
                Namespace = Namespace,
                IsCustom = IsCustom,
                Extra = Extra,
            },
            _ => new FunctionCallOutputItem(CallId, done ? Text.ToString() : "") { Id = Id, Status = status, IsCustom = IsCustom },
        };
    }
}
