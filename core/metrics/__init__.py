"""The similarity of two pictures: PSNR, SSIM, LPIPS."""
