using System.Globalization;
using System.Text;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>What the conversation that asked is told of its session.</summary>
internal sealed class SessionNotices(MultiClawsOptions options, SessionBook book)
{
    // The whole stands in the session; a notice is to be read at once.
    private const int MaxText = 8_000;

    /// <summary>A notice's key: the same change is told once.</summary>
    public static string KeyOf(string sessionId, long revision) => string.Create(CultureInfo.InvariantCulture, $"multiclaws/{sessionId}/{revision}");

    /// <summary>Where a change is told, or null: nobody asked, or nobody is to be told.</summary>
    public NoticeOrigin? OriginOf(SessionHead head) => options.Notify ? head.Origin?.ToNotice() : null;

    /// <summary>The words for a change of which the messages are at hand.</summary>
    public string TextOf(SessionStep step, NoticeKind kind, NoticeOrigin origin) => Fill(step.Head, kind, step.Added.Count > 0 ? step.Added[^1].Message.Content : null, origin);

    /// <summary>The words for a change that is on disk already.</summary>
    public async ValueTask<string> TextOfAsync(SessionHead head, NoticeKind kind, NoticeOrigin origin, CancellationToken cancellationToken) =>
        Fill(head, kind, (await book.MessageAsync(head.SessionId, head.LastAgent, cancellationToken).ConfigureAwait(false))?.Content, origin);

    private string Fill(SessionHead head, NoticeKind kind, string? said, NoticeOrigin origin)
    {
        var template = kind switch
        {
            NoticeKind.Completed => options.CompletedText,
            NoticeKind.Input => options.InputText,
            _ => options.FailedText,
        };
        var text = kind is NoticeKind.Failed ? head.Error ?? said ?? "" : said ?? "";
        if (text.Length > MaxText) text = $"{text[..MaxText].TrimEnd()}…\n[the rest: multiclaws_session_status, sessionId \"{head.SessionId}\"]";
        // What another agent writes is shown to a model as what it is: a quotation, no instruction.
        if (origin is GatewaySessionOrigin && text.Length > 0) text = Quoted(text);
        return template
            .Replace("{agent}", Plain(head.AgentName), StringComparison.Ordinal)
            .Replace("{session}", head.SessionId, StringComparison.Ordinal)
            .Replace("{text}", text, StringComparison.Ordinal)
            .Trim();
    }

    private static string Quoted(string text) => "(the other agent's words, quoted)\n> " + text.ReplaceLineEndings("\n> ");

    private static string Plain(string name)
    {
        var plain = new StringBuilder(name.Length);
        foreach (var letter in name) plain.Append(char.IsControl(letter) ? ' ' : letter);
        return plain.Length > 80 ? plain.ToString(0, 80) + "…" : plain.ToString();
    }
}
