using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace ChannelBridge.Client.Bncr;

/// <summary>Puts partials together to the texts that they make up.</summary>
internal sealed class GrowingTexts(ClientSubscription events)
{
    // Answers that grow at once; of an older one only the pieces are told then.
    private const int MaxTexts = 1024;

    private readonly Dictionary<string, StringBuilder> _texts = new(StringComparer.Ordinal);
    private readonly Queue<string> _order = new();

    /// <summary>The partials as they come, each with its whole text where all pieces have come.</summary>
    public async IAsyncEnumerable<BncrPartial> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using (events)
        {
            await foreach (var incoming in events.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                BncrPartial? partial;
                try
                {
                    partial = incoming.Read(BncrJson.Default.BncrPartial);
                }
                catch (JsonException)
                {
                    // A later host may say more than this client knows; the push comes in any case.
                    continue;
                }

                if (partial is not null) yield return partial with { Text = Grow(partial) };
            }
        }
    }

    private string? Grow(BncrPartial partial)
    {
        if (partial.Aborted)
        {
            _texts.Remove(partial.StreamId);
            return "";
        }

        if (!_texts.TryGetValue(partial.StreamId, out var text))
        {
            if (partial.Offset > 0 && !partial.Replace) return null;
            if (_order.Count >= MaxTexts) _texts.Remove(_order.Dequeue());
            _order.Enqueue(partial.StreamId);
            _texts[partial.StreamId] = text = new StringBuilder();
        }

        // The first piece of a further attempt begins anew.
        if (partial.Replace || partial.Offset == 0) text.Clear();
        if (!partial.Replace && partial.Offset != text.Length) return null;
        return text.Append(partial.Delta).ToString();
    }
}
