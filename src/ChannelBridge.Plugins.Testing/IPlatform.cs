using System.Text.Json;

namespace ChannelBridge.Plugins.Testing;

/// <summary>What a platform, as a test stands in for it, can do beyond carrying texts.</summary>
[Flags]
public enum PlatformTraits
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Its messages have ids, and it brings one again when it isn't sure that it was taken.</summary>
    Repeats = 1,

    /// <summary>It can be told to refuse the next message (<see cref="IPlatform.RefuseNext"/>).</summary>
    Refuses = 2,

    /// <summary>It can be told to take nothing for a while (<see cref="IPlatform.Block"/>).</summary>
    Blocks = 4,
}

/// <summary>A message as the platform's users see it.</summary>
/// <param name="Text">Its text.</param>
/// <param name="Place">Where it stands among the others: a higher place is later, equal ones are as good as at once.</param>
public sealed record PlatformMessage(string Text, long Place);

/// <summary>
/// The other side of the channel that is tested: a stand-in for the chat platform. It lives longer than the host, which a suite stops and
/// starts again.
/// </summary>
public interface IPlatform
{
    /// <summary>The channel's id.</summary>
    string Channel { get; }

    /// <summary>The account that the tests use.</summary>
    string Account { get; }

    /// <summary>What it can do.</summary>
    PlatformTraits Traits { get; }

    /// <summary>Everything that users have been told since the beginning.</summary>
    IReadOnlyList<PlatformMessage> Heard { get; }

    /// <summary>
    /// Settings that the manifest's schema takes and the plugin itself must refuse, because together they make no sense. What the schema refuses the suite
    /// finds by itself.
    /// </summary>
    IReadOnlyList<JsonElement> BadSettings => [];

    /// <summary>How an operator names a conversation when they send something to it.</summary>
    /// <param name="conversation">As in <see cref="SayAsync"/>.</param>
    string TargetOf(string conversation) => conversation;

    /// <summary>The host has started; its folders are there.</summary>
    /// <param name="host">The host.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task AttachAsync(ChannelHost host, CancellationToken cancellationToken);

    /// <summary>
    /// A user says something. It completes when the platform has it, which is before or after the channel has taken it; it is brought to a
    /// channel that starts later, too.
    /// </summary>
    /// <param name="conversation">Small letters and digits.</param>
    /// <param name="id">The platform's id of the message; the same again is the same message.</param>
    /// <param name="text">The text.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task SayAsync(string conversation, string id, string text, CancellationToken cancellationToken);

    /// <summary>The next message to users is refused, so that another try may succeed, or for good.</summary>
    /// <param name="forGood">Trying again is pointless.</param>
    void RefuseNext(bool forGood);

    /// <summary>Takes nothing, or takes things again.</summary>
    /// <param name="blocked">True to begin, false to end.</param>
    void Block(bool blocked);
}
