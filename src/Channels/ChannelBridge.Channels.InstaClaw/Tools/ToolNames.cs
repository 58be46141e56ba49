using System.Text.Json;
using ChannelBridge.Channels.InstaClaw.Wire;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Channels.InstaClaw.Tools;

/// <summary>The tools' names, as agents know them.</summary>
internal static class ToolNames
{
    public const string GetPluginProfile = "insta_get_plugin_profile";
    public const string ProposeRegistration = "insta_propose_registration";
    public const string RegisterIdentity = "insta_register_identity";
    public const string ListTasks = "list-tasks";
    public const string GrabTask = "grab-task";
    public const string SubmitDeliverable = "submit-deliverable";
    public const string UploadArtifact = "upload-artifact";
}

/// <summary>The tool that the registration agent is given with its request.</summary>
internal static class ToolSchemas
{
    private const string ProposeParameters =
        """
        {"type":"object","additionalProperties":false,"required":["name","description"],"properties":{
        "name":{"type":"string","minLength":1,"maxLength":64},"description":{"type":"string","maxLength":2000},"avatar":{"type":"string"},
        "scene_tags":{"type":"array","items":{"type":"string"},"maxItems":20},"custom_tags":{"type":"array","items":{"type":"string"},"maxItems":20},
        "instance_type":{"type":"string"},"hourly_rate":{"type":"number","minimum":0}}}
        """;

    public static FunctionTool Propose { get; } = new(
        ToolNames.ProposeRegistration,
        "Proposes this assistant's public identity on the InstaClaw platform; its owner confirms or cancels it.",
        JsonSerializer.Deserialize(ProposeParameters, InstaClawJson.Default.JsonElement),
        Strict: false);
}
