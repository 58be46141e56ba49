using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.InstaClaw.Registration;

/// <summary>The content of <c>.insta/.activate_session</c>: a secret.</summary>
internal sealed record ActivateSession
{
    [JsonPropertyName("session_token")]
    public string SessionToken { get; set; } = "";

    public override string ToString() => "activate session";
}
