// Reads a key and a signature that ChannelBridge.Identity made, and makes one of each by Node's own crypto.
//   node identity.mjs < question.json
import crypto from 'node:crypto';
import fs from 'node:fs';

const question = JSON.parse(fs.readFileSync(0, 'utf8'));
const message = Buffer.from(question.message);
const ours = crypto.createPrivateKey({ key: question.privateKey, passphrase: question.passphrase });
const { privateKey, publicKey } = crypto.generateKeyPairSync('ed25519');

console.log(JSON.stringify({
  verified: crypto.verify(null, message, crypto.createPublicKey(question.publicKey), Buffer.from(question.signature, 'base64')),
  signatureByOurKey: crypto.sign(null, message, ours).toString('base64'),
  privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  encryptedKey: privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: question.passphrase }),
  publicKey: Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url').toString('base64'),
  signature: crypto.sign(null, message, privateKey).toString('base64'),
}));
