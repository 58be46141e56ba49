using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Net;
using ChannelBridge.Channels.MultiClaws.Teams;

namespace ChannelBridge.Channels.MultiClaws.Agents;

/// <summary>What an agent's card says of it, bounded: a stranger has written it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it can do.</param>
/// <param name="Skills">The names of its skills.</param>
internal sealed record AgentCardFacts(string Name, string Description, IReadOnlyList<string> Skills)
{
    private const int MostSkills = 64;

    /// <summary>Reads a card of either version.</summary>
    /// <returns>Null: it is none.</returns>
    public static AgentCardFacts? Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 32 });
            if (document.RootElement is not { ValueKind: JsonValueKind.Object } card || Text(card, "name") is not { Length: > 0 } name) return null;
            var skills = card.TryGetProperty("skills", out var listed) && listed.ValueKind == JsonValueKind.Array
                ? listed.EnumerateArray().Take(MostSkills).Where(static skill => skill.ValueKind == JsonValueKind.Object)
                    .Select(static skill => Text(skill, "name") ?? Text(skill, "id")).OfType<string>().Select(static skill => Cut(skill, TeamMember.MaxName)).ToList()
                : [];
            return new AgentCardFacts(Cut(name, TeamMember.MaxName), Cut(Text(card, "description") ?? "", TeamMember.MaxBio / 4), skills);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? Text(JsonElement value, string name) =>
        value.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private static string Cut(string text, int most)
    {
        var shown = new string([.. text.Where(static c => !char.IsControl(c) || c is '\n' or '\t')]);
        return shown.Length <= most ? shown : shown[..most];
    }
}

/// <summary>Asks agents for their cards. One that can't be asked may be added all the same.</summary>
internal sealed class CardFetcher(IGuardedHttp http, MultiClawsOptions options)
{
    private const int MaxCard = 256 * 1024;

    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(5);

    /// <summary>The card of the agent at an address; null: there is none, or it can't be reached now.</summary>
    public async ValueTask<AgentCardFacts?> FetchAsync(string url, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await http.SendAsync(
                new GuardedRequest
                {
                    Url = new Uri(url + "/.well-known/agent-card.json"),
                    Networks = options.Networks is { Count: > 0 } said ? said : MemberUrls.NetworksWithLoopback,
                    Timeout = s_timeout,
                    MaxBytes = MaxCard,
                },
                cancellationToken).ConfigureAwait(false);
            await using (answer.ConfigureAwait(false))
                return answer.Status == 200 ? AgentCardFacts.Read(await answer.ReadAsync(cancellationToken).ConfigureAwait(false)) : null;
        }
        catch (BridgeException)
        {
            return null;
        }
    }
}
