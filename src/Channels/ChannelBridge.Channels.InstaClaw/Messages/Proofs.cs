namespace ChannelBridge.Channels.InstaClaw.Messages;

/// <summary>
/// Proofs of arrival. A broker acknowledges nothing, but it answers pings, and a pong proves that everything that went out before its ping has arrived: so each
/// ping carries a number, and with it goes the note of what had been sent.
/// </summary>
internal sealed class Proofs
{
    private const int MaxNotes = 64;
    private readonly Lock _gate = new();
    private readonly Queue<(long Number, List<(OpenRequest Request, long Sent)> Sent)> _notes = new();
    private long _last;

    /// <summary>True while a ping is under way.</summary>
    public bool IsPending
    {
        get { lock (_gate) return _notes.Count > 0; }
    }

    /// <summary>Notes what has been sent, and gives the number for the ping that must follow.</summary>
    public long Note(IEnumerable<OpenRequest> open)
    {
        var sent = new List<(OpenRequest, long)>();
        foreach (var request in open)
        {
            if (request.Sent > request.Confirmed) sent.Add((request, request.Sent));
        }

        lock (_gate)
        {
            // A broker that never answers is soon cut off; until then the notes don't grow.
            if (_notes.Count >= MaxNotes) _notes.Dequeue();
            _notes.Enqueue((++_last, sent));
            return _last;
        }
    }

    /// <summary>A ping was answered: gives the requests that got further by it.</summary>
    public List<OpenRequest> Take(long number)
    {
        var further = new List<OpenRequest>();
        lock (_gate)
        {
            while (_notes.TryPeek(out var note) && note.Number <= number)
            {
                _notes.Dequeue();
                foreach (var (request, sent) in note.Sent)
                {
                    if (sent <= request.Confirmed) continue;
                    request.Confirmed = sent;
                    if (!further.Contains(request)) further.Add(request);
                }
            }
        }

        return further;
    }

    /// <summary>The connection has ended: what is under way will not be answered.</summary>
    public void Clear()
    {
        lock (_gate) _notes.Clear();
    }
}
