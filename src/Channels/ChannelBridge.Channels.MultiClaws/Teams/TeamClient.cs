using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Net;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>A member's answer.</summary>
/// <param name="Status">The status.</param>
/// <param name="Body">The body.</param>
/// <param name="Proof">The proof that a holder of the team's secret gave it, or null.</param>
/// <param name="RetryAfter">When to come again, or null.</param>
internal sealed record MemberAnswer(int Status, ReadOnlyMemory<byte> Body, string? Proof, TimeSpan? RetryAfter)
{
    /// <summary>True: it is done.</summary>
    public bool IsDone => Status is >= 200 and < 300;

    /// <summary>The body; null: it makes no sense.</summary>
    public T? Read<T>(JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(Body.Span, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>Asks members, with a signature.</summary>
internal sealed class TeamClient(IGuardedHttp http, HostKey keys, MultiClawsOptions options, TimeProvider time)
{
    /// <summary>The header with <see cref="RequestProof.Answer"/>.</summary>
    public const string AnswerHeader = "MultiClaws-Answer";

    private const int MaxAnswer = 4 * 1024 * 1024;

    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(10);

    /// <summary>Asks.</summary>
    /// <param name="verb">The verb.</param>
    /// <param name="to">The member's address.</param>
    /// <param name="path">What is asked, with a slash at its beginning.</param>
    /// <param name="body">The body; empty for none.</param>
    /// <param name="secret">The team's secret, where this host wants to be let in; else null.</param>
    /// <param name="withLoopback">True when the member may be on this machine.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="BridgeException"><c>UNAVAILABLE</c>: it isn't reached; <c>INVALID_REQUEST</c>: its address leads where it may not.</exception>
    public async Task<(MemberAnswer Answer, RequestProof Proof)> AskAsync(
        string verb, string to, string path, ReadOnlyMemory<byte> body, byte[]? secret, bool withLoopback, CancellationToken cancellationToken)
    {
        if (MemberUrls.IsRefused(to, withLoopback)) throw BridgeException.Invalid("The address leads where no member may be.");
        var url = new Uri(to + path);
        var proof = RequestProof.Make(await keys.GetAsync(cancellationToken).ConfigureAwait(false), verb, to, url, body.Span, time.GetUtcNow(), secret);
        var request = new GuardedRequest
        {
            Url = url,
            Verb = verb,
            Headers = [new("Authorization", $"{RequestProof.Scheme} {proof.Write()}"), new("Accept", "application/json")],
            Content = body,
            ContentType = body.IsEmpty ? null : "application/json",
            Networks = options.Networks is { Count: > 0 } said ? said : withLoopback ? MemberUrls.NetworksWithLoopback : MemberUrls.Networks,
            Timeout = s_timeout,
            MaxBytes = MaxAnswer,
        };
        var answer = await http.SendAsync(request, cancellationToken).ConfigureAwait(false);
        await using (answer.ConfigureAwait(false))
        {
            TimeSpan? wait = int.TryParse(answer.Header("Retry-After"), System.Globalization.NumberStyles.None, null, out var seconds) ? TimeSpan.FromSeconds(seconds) : null;
            return (new MemberAnswer(answer.Status, await answer.ReadAsync(cancellationToken).ConfigureAwait(false), answer.Header(AnswerHeader), wait), proof);
        }
    }
}
