using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Endpoints.Http;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Endpoints.Responses;

/// <summary>Who may come in by the HTTP paths of Open Responses, in the words of its clients.</summary>
internal sealed class ResponseAccess(HttpAccess access)
{
    /// <summary>The channel that stands for Open Responses where a token is limited to channels.</summary>
    private const string Channel = "responses";

    /// <summary>Lets a request in, or says why not.</summary>
    /// <param name="context">The request.</param>
    /// <param name="scope">What it needs.</param>
    /// <param name="fault">Why not, or null.</param>
    public Caller? Enter(HttpContext context, Scopes scope, out ResponseFault? fault)
    {
        var caller = access.Enter(context, scope, null, anyOrigin: false, out var refusal);
        if (caller is not null && (!caller.MayUseChannel(Channel) || !caller.MayCall(scope is Scopes.Read ? "responses.resume" : "responses.create")))
        {
            // What a token may not do by a method it may not do by these paths either.
            refusal = new BridgeException(ErrorCodes.Forbidden, "The token is limited to other channels or methods.");
            caller = null;
        }

        fault = refusal is null ? null : ResponseFault.Of(refusal);
        return caller;
    }

    /// <summary>The error of a caller that is too fast, or null.</summary>
    public ResponseFault? CheckRate(HttpContext context, Caller caller) => access.CheckRate(context, caller) is { } tooMany ? ResponseFault.Of(tooMany) : null;
}
